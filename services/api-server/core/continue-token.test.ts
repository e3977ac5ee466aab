import { describe, expect, test } from "vitest";
import { ContinueTokens } from "./continue-token.ts";

const tokens = new ContinueTokens(Buffer.from("a key that all servers have"));

describe("invariant 23: continue tokens", () => {
  test("read back for the list that they were made for", () => {
    const position = { revision: 77, fromKey: "default/web" };
    expect(tokens.read(tokens.write(position, "pods"), "pods")).toEqual(position);
  });

  test("are refused for another list, under another key, and when any character was changed", () => {
    const token = tokens.write({ revision: 77, fromKey: "default/web" }, "pods");
    expect(() => tokens.read(token, "secrets")).toThrow("continue key is not valid");
    expect(() => new ContinueTokens(Buffer.from("other")).read(token, "pods")).toThrow("continue key is not valid");
    for (let index = 0; index < token.length - 1; index++) {
      const changed = `${token.slice(0, index)}${token[index] === "A" ? "B" : "A"}${token.slice(index + 1)}`;
      expect(() => tokens.read(changed, "pods")).toThrow("continue key is not valid");
    }
    expect(() => tokens.read("", "pods")).toThrow("continue key is not valid");
  });
});
