import type { TableField, TableMessage } from "./table-schemas.ts";

/**
 * Members that some golden objects have and the contract tables (1.36) lack, in groups that proto/ does not have yet: upstream
 * added them later. With them every golden object can be compared to the byte.
 */
export const LATER_FIELDS: Readonly<Record<string, readonly TableField[]>> = {
  "batch/v1.JobSpec": [pointer("scheduling", 17, "JobScheduling")],
};

/** Messages that these fields need; their names are ours. */
export const LATER_MESSAGES: readonly TableMessage[] = [
  message("batch/v1.JobScheduling", [
    pointer("schedulingPolicy", 1, "JobSchedulingPolicy"),
    pointer("schedulingConstraints", 2, "JobSchedulingConstraints"),
    pointer("disruptionMode", 3, "JobDisruptionMode"),
    list("resourceClaims", 4, "JobResourceClaim"),
  ]),
  message("batch/v1.JobSchedulingPolicy", [pointer("basic", 1, "Nothing"), pointer("gang", 2, "JobGang")]),
  message("batch/v1.JobGang", [pointer("minCount", 1, "int32")]),
  message("batch/v1.JobSchedulingConstraints", [list("topology", 1, "JobTopology")]),
  message("batch/v1.JobTopology", [text("key", 1)]),
  message("batch/v1.JobDisruptionMode", [pointer("single", 1, "Nothing"), pointer("all", 2, "Nothing")]),
  message("batch/v1.JobResourceClaim", [
    text("name", 1),
    pointer("resourceClaimName", 2, "string"),
    pointer("resourceClaimTemplateName", 3, "string"),
  ]),
  message("batch/v1.Nothing", []),
];

function message(m: string, f: readonly TableField[]): TableMessage {
  return { m, f };
}

function text(n: string, i: number): TableField {
  return { n, i, t: "string", oe: 1 };
}

function pointer(n: string, i: number, t: string): TableField {
  return { n, i, t, p: 1, oe: 1 };
}

function list(n: string, i: number, t: string): TableField {
  return { n, i, t, r: 1, oe: 1 };
}
