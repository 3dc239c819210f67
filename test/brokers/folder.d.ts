export const brokerFolder: string;
