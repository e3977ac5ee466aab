import { notAcceptable } from "../../../lib/core/status-error.ts";

export type Format = "json" | "yaml" | "protobuf";
/** The object itself, or what is made of it for tables and for clients that only want metadata. */
export type Shape = "object" | "table" | "metadata";

export interface Accepted {
  readonly format: Format;
  readonly shape: Shape;
}

export const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  json: "application/json",
  yaml: "application/yaml",
  protobuf: "application/vnd.kubernetes.protobuf",
};

const FORMATS: Readonly<Record<string, Format>> = {
  "application/json": "json",
  "application/yaml": "yaml",
  "application/vnd.kubernetes.protobuf": "protobuf",
  "application/*": "json",
  "*/*": "json",
};

const SHAPES: Readonly<Record<string, Shape>> = {
  Table: "table",
  PartialObjectMetadata: "metadata",
  PartialObjectMetadataList: "metadata",
};

interface Clause {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

/** Chooses by the Accept header; fails with 406 when nothing fits. */
export function negotiate(accept: string | undefined, allowShapes: boolean): Accepted {
  if (accept === undefined || accept.trim() === "") return { format: "json", shape: "object" };
  const clauses = accept
    .split(",")
    .map(parseClause)
    .sort((left, right) => right.quality - left.quality);
  for (const clause of clauses) {
    const found = clause.quality > 0 ? formOf(clause, allowShapes) : undefined;
    if (found !== undefined) return found;
  }
  throw notAcceptable(Object.values(MEDIA_TYPES));
}

/** A media type and its parameters, in lower case. */
export function parseClause(text: string): Clause {
  const [type = "", ...rest] = text.split(";").map((part) => part.trim());
  const parameters = new Map<string, string>();
  for (const part of rest) {
    const at = part.indexOf("=");
    if (at > 0)
      parameters.set(
        part.slice(0, at).trim().toLowerCase(),
        part
          .slice(at + 1)
          .trim()
          .replace(/^"|"$/g, ""),
      );
  }
  const quality = Number(parameters.get("q") ?? "1");
  return { type: type.toLowerCase(), parameters, quality: Number.isFinite(quality) ? quality : 0 };
}

function formOf(clause: Clause, allowShapes: boolean): Accepted | undefined {
  const format = Object.hasOwn(FORMATS, clause.type) ? FORMATS[clause.type] : undefined;
  if (format === undefined) return undefined;
  const as = clause.parameters.get("as");
  if (as === undefined) return { format, shape: "object" };
  const shape = Object.hasOwn(SHAPES, as) ? SHAPES[as] : undefined;
  const isKnown = clause.parameters.get("g") === "meta.k8s.io" && clause.parameters.get("v") === "v1";
  if (shape === undefined || !isKnown || !allowShapes) return undefined;
  // Tables have no protobuf form, and metadata alone is not served in it; clients name JSON as well.
  if (format === "protobuf") return undefined;
  return { format, shape };
}
