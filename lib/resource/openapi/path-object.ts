import { componentName } from "./component-name.ts";
import type { Operation, Parameter, PathItem } from "./operations.ts";
import type { Dialect, SchemaObject } from "./schema-object.ts";

const META = "k8s.io.apimachinery.pkg.apis.meta.v1";

const bodyTypes = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
const patchTypes = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
];

/** Full protobuf names of what an operation takes and gives. */
export interface OperationMessages {
  readonly object: string;
  readonly list: string | undefined;
}

function reference(message: string, dialect: Dialect): SchemaObject {
  const place = dialect === "v2" ? "#/definitions/" : "#/components/schemas/";
  return { $ref: `${place}${componentName(message)}` };
}

/** One entry of `paths`. `messagesOf` says which messages stand for an operation's object and list. */
export function pathObject(
  item: PathItem,
  messagesOf: (operation: Operation) => OperationMessages,
  dialect: Dialect,
): SchemaObject {
  const parameters = item.parameters.map((parameter) => parameterObject(parameter, dialect));
  const operations = item.operations.map((operation): [string, SchemaObject] => [
    operation.method,
    operationObject(item, operation, messagesOf(operation), dialect),
  ]);
  return { ...Object.fromEntries(operations), parameters };
}

function parameterObject({ name, in: place, type, description }: Parameter, dialect: Dialect): SchemaObject {
  const required = place === "path" ? { required: true } : {};
  const typed = dialect === "v2" ? { type, uniqueItems: true } : { schema: { type, uniqueItems: true } };
  return { name, in: place, description, ...required, ...typed };
}

function operationObject(
  { definition }: PathItem,
  operation: Operation,
  messages: OperationMessages,
  dialect: Dialect,
): SchemaObject {
  const { operationId, description, action, kind } = operation;
  const group = definition.group === "" ? "core" : (definition.group.split(".")[0] ?? "");
  const parameters = operation.parameters.map((parameter) => parameterObject(parameter, dialect));
  const common = {
    description,
    tags: [`${group}_${definition.version}`],
    operationId,
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": kind,
  };
  const answer = answerMessage(operation, messages);
  const schema = answer === undefined ? { type: "string" } : reference(answer, dialect);
  const body = bodyMessage(operation, messages);
  return dialect === "v2"
    ? v2Operation(operation, common, parameters, schema, body)
    : v3Operation(operation, common, parameters, schema, body);
}

function answerMessage({ answer }: Operation, { object, list }: OperationMessages): string | undefined {
  if (answer === "text") return undefined;
  if (answer === "list") return list ?? object;
  return answer === "status" ? `${META}.Status` : object;
}

function bodyMessage({ body }: Operation, { object }: OperationMessages): string | undefined {
  if (body === undefined) return undefined;
  if (body === "patch") return `${META}.Patch`;
  return body === "delete-options" ? `${META}.DeleteOptions` : object;
}

function typesOf(operation: Operation): string[] {
  if (operation.answer === "text") return operation.action === "connect" ? ["*/*"] : ["text/plain", ...bodyTypes];
  return bodyTypes;
}

function v2Operation(
  operation: Operation,
  common: SchemaObject,
  parameters: SchemaObject[],
  schema: SchemaObject,
  body: string | undefined,
): SchemaObject {
  const bodyParameter =
    body === undefined
      ? []
      : [
          {
            name: "body",
            in: "body",
            ...(operation.body === "delete-options" ? {} : { required: true }),
            schema: reference(body, "v2"),
          },
        ];
  return {
    ...common,
    consumes: operation.body === "patch" ? patchTypes : ["*/*"],
    produces: typesOf(operation),
    schemes: ["https"],
    parameters: [...bodyParameter, ...parameters],
    responses: { "200": { description: "OK", schema }, "401": { description: "Unauthorized" } },
  };
}

function v3Operation(
  operation: Operation,
  common: SchemaObject,
  parameters: SchemaObject[],
  schema: SchemaObject,
  body: string | undefined,
): SchemaObject {
  const contentOf = (types: readonly string[], content: SchemaObject): SchemaObject =>
    Object.fromEntries(types.map((type) => [type, { schema: content }]));
  const types = operation.body === "patch" ? patchTypes : ["*/*"];
  return {
    ...common,
    parameters,
    ...(body === undefined ? {} : { requestBody: { content: contentOf(types, reference(body, "v3")) } }),
    responses: {
      "200": { description: "OK", content: contentOf(typesOf(operation), schema) },
      "401": { description: "Unauthorized" },
    },
  };
}
