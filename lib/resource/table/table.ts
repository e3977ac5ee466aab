import { quote } from "../codec/json-string.ts";
import { jsonFields, messageOf } from "../json-fields.ts";
import type { ColumnDefinition, ResourceDefinition } from "../kind.ts";
import type { FieldSchema, MessageSchema } from "../schema.ts";
import { humanAge } from "./human-duration.ts";
import type { Cell, RowCondition } from "./row-hook.ts";
import { computedRow } from "./row-hooks.ts";

export interface TableRow {
  readonly cells: readonly Cell[];
  readonly conditions: readonly RowCondition[];
  /** JSON text of the object as asked for; `null` for none. */
  readonly object: string;
}

export interface Table {
  /** The list's own, or the resource version of the single object. */
  readonly metadata: TableMetadata;
  readonly columns: readonly ColumnDefinition[];
  readonly rows: readonly TableRow[];
}

export interface TableMetadata {
  readonly resourceVersion?: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

interface KubeObject {
  readonly metadata?: object;
}

export interface TableOptions {
  /** Milliseconds since 1970; ages are reckoned from it. */
  readonly nowMs: number;
  /** JSON text of what a row carries: of the object itself, of its partialObject, or `null`. */
  readonly objectText: (object: KubeObject) => string;
}

/** Rows of objects in normal form, by the columns and hooks of their kind. */
export function tableOf(
  definition: ResourceDefinition,
  objects: readonly KubeObject[],
  metadata: TableMetadata,
  options: TableOptions,
): Table {
  const { columns } = definition;
  const cellOf = columns.map((column) => cellReader(column, definition.schema));
  const rows = objects.map((object) => {
    const computed = computedRow(definition, object, options.nowMs);
    const cells = columns.map((column, index) => {
      if (Object.hasOwn(computed.cells, column.name)) return computed.cells[column.name] ?? null;
      return cellOf[index]?.(object, options.nowMs) ?? null;
    });
    return { cells, conditions: computed.conditions ?? [], object: options.objectText(object) };
  });
  return { metadata, columns, rows };
}

type CellReader = (object: object, nowMs: number) => Cell;

/** Reads the cell of one column; how an absent value shows follows from the type of its field. */
function cellReader(column: ColumnDefinition, schema: MessageSchema): CellReader {
  const names = column.path.split(".").filter((name) => name !== "");
  const field = fieldAt(schema, names);
  const isTime = field?.type === "message" && /time$/.test(messageOf(field)?.form ?? "");
  const absent = absentCell(column, field);
  return (object, nowMs) => {
    const value = names.length === 0 ? undefined : valueAt(object, names);
    if (isTime) return humanAge(typeof value === "string" ? value : undefined, nowMs);
    if (value === undefined) return absent;
    return typeof value === "object" ? JSON.stringify(value) : (value as Cell);
  };
}

function absentCell(column: ColumnDefinition, field: FieldSchema | undefined): Cell {
  if (field === undefined || field.type === "message") return column.type === "string" ? "" : null;
  if (field.type === "string" || field.type === "bytes") return "";
  return field.type === "bool" ? false : 0;
}

function fieldAt(schema: MessageSchema, names: readonly string[]): FieldSchema | undefined {
  let message: MessageSchema | undefined = schema;
  let field: FieldSchema | undefined;
  for (const name of names) {
    field = message === undefined ? undefined : jsonFields(message).get(name);
    message = messageOf(field);
  }
  return field;
}

function valueAt(object: object, names: readonly string[]): unknown {
  let value: unknown = object;
  for (const name of names) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** JSON text of a Table. A watch sends the columns with its first event only: `withColumns` says whether. */
export function encodeTable(table: Table, withColumns = true): string {
  const columns = withColumns ? `[${table.columns.map(columnText).join(",")}]` : "null";
  const rows = table.rows.map(rowText).join(",");
  const metadata = JSON.stringify(table.metadata);
  return `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":${metadata},"columnDefinitions":${columns},"rows":[${rows}]}`;
}

function columnText({ name, type, format, description, priority }: ColumnDefinition): string {
  return JSON.stringify({ name, type, format, description, priority });
}

function rowText(row: TableRow): string {
  const cells = row.cells.map((cell) => {
    if (typeof cell === "string") return quote(cell);
    return cell === null ? "null" : String(cell);
  });
  const conditions = row.conditions.length === 0 ? "" : `"conditions":${JSON.stringify(row.conditions)},`;
  return `{"cells":[${cells.join(",")}],${conditions}"object":${row.object}}`;
}
