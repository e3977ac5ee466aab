import { readFileSync } from "node:fs";
import { createFileRegistry, type DescField, type DescMessage, fromBinary, ScalarType } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { type ProtoTable, readTable, tablesArePresent } from "./tables/table-files.ts";

if (!tablesArePresent) console.warn("SKIPPED: the contract tables are not beside the checkout; proto/ is not compared");

const set = fromBinary(
  FileDescriptorSetSchema,
  readFileSync(new URL("../../lib/gen/descriptors.binpb", import.meta.url)),
);
const descriptors = createFileRegistry(set);

/** Packages that nothing of ours speaks. */
const unspoken = [
  "v3lockpb",
  "v3electionpb",
  "containerd.types.transfer",
  "containerd.services.streaming.v1",
  "containerd.services.transfer.v1",
];

describe.skipIf(!tablesArePresent).each(["cri-v1", "etcd-v3", "containerd-v1", "grpc-common"])(
  "%s is as the table says",
  (name) => {
    const table = tablesArePresent ? readTable<ProtoTable>(name) : { source: [], messages: [] };
    const packages = [...new Set(table.source.map((row) => row.package))].sort((a, b) => b.length - a.length);
    const packageOf = (full: string) => packages.find((one) => full.startsWith(`${one}.`)) ?? "";
    const isSpoken = (full: string) => !unspoken.includes(packageOf(full));
    const resolve = (type: string, parent: string) =>
      ScalarType[type.toUpperCase() as keyof typeof ScalarType] !== undefined
        ? type
        : descriptors.get(type) !== undefined
          ? type
          : `${packageOf(parent)}.${type}`;

    test("messages", () => {
      const rows = table.messages.filter((row) => isSpoken(row.m));
      expect(rows.length).toBeGreaterThan(15);
      for (const row of rows) {
        const message = descriptors.getMessage(row.m);
        expect(message?.fields.map(comparable), row.m).toEqual(
          row.f.map((field) => ({
            name: field.n,
            number: field.i,
            type: resolve(field.t, row.m),
            repeated: field.r === 1,
            mapKey: field.k,
            oneof: field.o,
            optional: field.opt === 1,
          })),
        );
      }
    });

    test("enums and services", () => {
      for (const row of (table.enums ?? []).filter(({ e }) => isSpoken(e))) {
        const values = descriptors.getEnum(row.e)?.values.map((value) => [value.name, value.number]);
        expect(Object.fromEntries(values ?? []), row.e).toEqual(row.v);
      }
      const services = (table.services ?? []).filter(({ s }) => isSpoken(s));
      expect(services.length).toBeGreaterThan(0);
      for (const row of services) {
        const methods = descriptors.getService(row.s)?.methods.map((method) => ({
          name: method.name,
          input: method.input.typeName,
          output: method.output.typeName,
          streams: method.methodKind,
        }));
        expect(methods, row.s).toEqual(
          row.rpcs.map((rpc) => ({
            name: rpc.n,
            input: resolve(rpc.in, row.s),
            output: resolve(rpc.out, row.s),
            streams: streams(rpc.is === 1, rpc.os === 1),
          })),
        );
      }
    });
  },
);

function streams(client: boolean, server: boolean): string {
  if (client && server) return "bidi_streaming";
  return client ? "client_streaming" : server ? "server_streaming" : "unary";
}

function comparable(field: DescField) {
  const isProto3Optional = field.proto.proto3Optional;
  return {
    name: field.name,
    number: field.number,
    type: typeName(field),
    repeated: field.fieldKind === "list",
    mapKey: field.fieldKind === "map" ? ScalarType[field.mapKey].toLowerCase() : undefined,
    oneof: isProto3Optional ? undefined : field.oneof?.name,
    optional: isProto3Optional,
  };
}

function typeName(field: DescField): string {
  const target: DescMessage | { readonly typeName: string } | undefined = field.message ?? field.enum;
  return target?.typeName ?? (field.scalar === undefined ? "" : ScalarType[field.scalar].toLowerCase());
}
