// Rules of CONTRIBUTING.md that no linter knows.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';

const tracked = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).trim().split('\n');
const sources = tracked.filter((file) => /^(src|test)\/.*\.tsx?$/.test(file));

const programs = tracked.filter((file) => /\.(tsx?|js|mjs|cjs|c|h|cc|py|sh)$|^\.ci\/run$/.test(file));

test('lines end at 120 columns', () => {
  const long = programs.flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line, i) => (line.length > 120 ? [`${file}:${i + 1}`] : [])),
  );
  expect(long).toEqual([]);
});

/** Inner loops over tensor data: a checked access would cost more than the arithmetic. */
const hotKernels = [
  /^src\/simulator\/(operators|arithmetic|fast)\//,
  /^src\/optimize\/convert\/reference\//,
  /^src\/optimize\/quantize\/repair\/(rounding|layer-statistics)\.ts$/,
];

test('no cast hides an index out of range, except in hot kernels', () => {
  const casts: string[] = [];
  for (const file of sources.filter((one) => one.startsWith('src/') && !hotKernels.some((hot) => hot.test(one)))) {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
    const visit = (node: ts.Node): void => {
      // The tables of flashing methods are typed by method, which TypeScript cannot follow; they hide no undefined.
      if (
        ts.isAsExpression(node) &&
        ts.isElementAccessExpression(node.expression) &&
        !/^src\/devices\/flashing\/(index|programs)\.ts$/.test(file)
      )
        casts.push(`${file}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1} ${node.getText()}`);
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  expect(casts).toEqual([]);
});

test('nothing below the application names a verb of the command line', () => {
  const named = sources
    .filter((file) => file.startsWith('src/') && !file.startsWith('src/app/'))
    .flatMap((file) => {
      const found: string[] = [];
      const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
      const visit = (node: ts.Node): void => {
        if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node))
          if (
            /\batoll (inspect|quantize|check|push|run|rollout|bundle|devices|doctor)\b|--[a-z]+-[a-z]+ /.test(
              node.getText(),
            )
          )
            found.push(`${file}: ${node.getText()}`);
        ts.forEachChild(node, visit);
      };
      visit(source);
      return found;
    });
  expect(named).toEqual([]);
});

test('every file name can be checked out on Windows', () => {
  const reserved = /^(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)/i;
  const bad = tracked.filter((file) =>
    file.split('/').some((part) => /[<>:"|?*\\]|[. ]$/.test(part) || reserved.test(part)),
  );
  expect(bad).toEqual([]);
  expect(new Set(tracked.map((file) => file.toLowerCase())).size).toBe(tracked.length);
});
