import { describe, expect, test } from "vitest";
import { negotiate } from "./negotiation.ts";

const METADATA = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io";

describe("Accept", () => {
  test.each([
    [undefined, "json", "object"],
    ["", "json", "object"],
    ["*/*", "json", "object"],
    ["application/yaml", "yaml", "object"],
    ["application/vnd.kubernetes.protobuf, application/json", "protobuf", "object"],
    ["application/json;q=0.5, application/yaml", "yaml", "object"],
    [`${TABLE}, application/json`, "json", "table"],
    ["application/json;as=Table;v=v9;g=meta.k8s.io, application/json", "json", "object"],
    ["application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io, application/json", "json", "object"],
    [`${METADATA}, application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io`, "json", "metadata"],
    ["image/png, */*;q=0.1", "json", "object"],
  ] as const)("%s gives %s, %s", (accept, format, shape) => {
    expect(negotiate(accept, true)).toEqual({ format, shape });
  });

  test.each(["image/png", METADATA, "application/json;q=0", "constructor", TABLE.replace("v1", "v9")])(
    "%s is 406",
    (accept) => {
      expect(() => negotiate(accept, true)).toThrow(expect.objectContaining({ code: 406 }));
    },
  );

  test("a subresource has no table", () => {
    expect(() => negotiate(TABLE, false)).toThrow(expect.objectContaining({ code: 406 }));
  });
});
