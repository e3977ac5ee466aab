/** The content of one cell. */
export type Cell = string | number | bigint | boolean | null;

/** A mark on a whole row, as `kubectl get` uses it for pods that are over. */
export interface RowCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

export interface ComputedRow {
  /** By column name; a column that is not here takes its cell from its path. */
  readonly cells: Readonly<Record<string, Cell>>;
  readonly conditions?: readonly RowCondition[];
}

/** Makes the cells of one kind that are computed; `nowMs` is milliseconds since 1970. */
export type RowHook<T = never> = (object: T, nowMs: number) => ComputedRow;
