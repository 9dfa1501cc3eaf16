/** What each file of a folder imports of it. */
export function importsOf(root: string): Map<string, string[]>;
/** The circles of a graph of imports, each sorted. */
export function circles(graph: Map<string, string[]>): string[][];
