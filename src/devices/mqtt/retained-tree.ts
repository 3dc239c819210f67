// Retained messages as a tree of topic levels, so that a subscription finds its matches without scanning all messages.

interface Node<Message> {
  message: Message | null;
  /** null: no children; most nodes are leaves. */
  children: Map<string, Node<Message>> | null;
}

export class RetainedTree<Message extends { readonly topic: string }> {
  private readonly root: Node<Message> = { message: null, children: null };

  set(message: Message): void {
    let node = this.root;
    for (const level of message.topic.split('/')) {
      node.children ??= new Map();
      let child = node.children.get(level);
      if (child === undefined) {
        child = { message: null, children: null };
        node.children.set(level, child);
      }
      node = child;
    }
    node.message = message;
  }

  delete(topic: string): void {
    const way: [Node<Message>, string][] = [];
    let node = this.root;
    for (const level of topic.split('/')) {
      const child = node.children?.get(level);
      if (child === undefined) return;
      way.push([node, level]);
      node = child;
    }
    node.message = null;
    // Remove empty nodes, or topics that come and go would stay forever.
    for (const [parent, level] of way.reverse()) {
      const child = parent.children?.get(level);
      if (child === undefined || child.message !== null || (child.children?.size ?? 0) > 0) return;
      parent.children?.delete(level);
    }
  }

  /** @param filter of a subscription; wildcards do not match topics that begin with $ (MQTT 3.1.1, 4.7.2) */
  matching(filter: string): Iterable<Message> {
    return matchesBelow(this.root, filter.split('/'), 0);
  }
}

function* matchesBelow<Message>(node: Node<Message>, levels: readonly string[], depth: number): Iterable<Message> {
  const level = levels[depth];
  if (level === undefined) {
    if (node.message !== null) yield node.message;
    return;
  }
  if (level === '#') return yield* all(node, depth === 0);
  if (level !== '+') {
    const child = node.children?.get(level);
    if (child !== undefined) yield* matchesBelow(child, levels, depth + 1);
    return;
  }
  for (const [name, child] of node.children ?? [])
    if (depth > 0 || !name.startsWith('$')) yield* matchesBelow(child, levels, depth + 1);
}

/** "a/#" matches "a" too. */
function* all<Message>(node: Node<Message>, isRoot: boolean): Iterable<Message> {
  if (node.message !== null) yield node.message;
  for (const [name, child] of node.children ?? []) if (!isRoot || !name.startsWith('$')) yield* all(child, false);
}
