import type { GroupVersionName, Registry } from "../registry.ts";
import type { MessageSchema } from "../schema.ts";
import type { GroupVersionKind } from "./schema-object.ts";

/** Which kinds a message stands for; options stand for one in each group version. */
export class KindIndex {
  readonly #kinds = new Map<string, GroupVersionKind[]>();

  constructor(registry: Registry) {
    const groupVersions = new Map<string, GroupVersionName>();
    const add = (api: GroupVersionName): void => {
      groupVersions.set(`${api.group}/${api.version}`, { group: api.group, version: api.version });
    };
    registry.groupVersions().forEach(add);
    for (const definition of registry.resources()) definition.subresources.forEach(add);
    for (const name of registry.messageNames()) {
      const schema = registry.message(name);
      if (schema === undefined || !schema.isKind) continue;
      const kind = name.slice(name.lastIndexOf(".") + 1);
      const kinds = [...groupVersions.values()]
        .filter(({ group, version }) => registry.schemaOfKind(group, version, kind) === schema)
        .map(({ group, version }) => ({ group, kind, version }));
      this.#kinds.set(name, kinds);
    }
  }

  of(schema: MessageSchema): readonly GroupVersionKind[] {
    return this.#kinds.get(schema.name) ?? [];
  }
}
