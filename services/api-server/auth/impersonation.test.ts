import { expect, test } from "vitest";
import { AuthorizerList, mastersAuthorizer } from "./authorizer.ts";
import { impersonated } from "./impersonation.ts";

const authorizers = new AuthorizerList([mastersAuthorizer]);
const admin = { user: "admin", groups: ["system:masters", "system:authenticated"] };
const nobody = { user: "nobody", groups: ["system:authenticated"] };

test("without the headers the sender stays who it is", async () => {
  expect(await impersonated(admin, ["Accept", "*/*"], authorizers)).toBe(admin);
});

test("a user, with groups, uid and extras as they were sent", async () => {
  const headers = ["Impersonate-User", "jane", "Impersonate-Group", "a, b", "impersonate-group", "c"];
  expect(await impersonated(admin, headers, authorizers)).toEqual({
    user: "jane",
    groups: ["a, b", "c", "system:authenticated"],
    extra: {},
  });
  const more = ["Impersonate-User", "jane", "Impersonate-Uid", "7", "Impersonate-Extra-Acme%2Fscope", "x"];
  const identity = await impersonated(admin, more, authorizers);
  expect(identity).toMatchObject({ uid: "7", groups: ["system:authenticated"] });
  expect(identity.extra?.["acme/scope"]).toEqual(["x"]);
});

test("a service account has its groups; nobody named is not authenticated", async () => {
  const account = await impersonated(admin, ["Impersonate-User", "system:serviceaccount:shop:web"], authorizers);
  expect(account.groups).toEqual(["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"]);
  const anonymous = await impersonated(admin, ["Impersonate-User", "system:anonymous"], authorizers);
  expect(anonymous.groups).toEqual(["system:unauthenticated"]);
});

test("invariant 51: every part must be allowed", async () => {
  const refused = (headers: string[]) => impersonated(nobody, headers, authorizers);
  await expect(refused(["Impersonate-User", "admin"])).rejects.toThrow(
    'users "admin" is forbidden: User "nobody" cannot impersonate resource "users" in API group "" at the cluster scope',
  );
  const onlyUsers = new AuthorizerList([
    { name: "users", authorize: ({ resource }) => (resource === "users" ? "allow" : undefined) },
  ]);
  const asked: string[][] = [
    ["Impersonate-Group", "system:masters"],
    ["Impersonate-Uid", "1"],
    ["Impersonate-Extra-scope", "all"],
  ];
  for (const headers of asked) {
    await expect(impersonated(nobody, ["Impersonate-User", "jane", ...headers], onlyUsers)).rejects.toThrow(
      "forbidden",
    );
  }
});

test.each([
  [["Impersonate-Group", "system:masters"]],
  [["Impersonate-User", ""]],
  [["Impersonate-User", "a", "Impersonate-User", "b"]],
  [["Impersonate-User", "a", "Impersonate-Extra-%zz", "b"]],
  [["Impersonate-User", "a", "Impersonate-Grups", "b"]],
])("%j is refused", async (headers) => {
  await expect(impersonated(admin, headers, authorizers)).rejects.toThrow();
});
