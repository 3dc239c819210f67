export const peerFolder: string;
