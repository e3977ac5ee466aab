/** As much of an object as tells whether it is there and Ready. */
export interface SomeObject {
  readonly metadata?: { readonly name?: string };
  readonly status?: { readonly conditions?: readonly { readonly type?: string; readonly status?: string }[] };
}

/** What a cluster lacks before a pod could be made in `default` and run, in words; nothing when it is ready. */
export function missingForPods(
  found: { readonly nodes: readonly SomeObject[]; readonly accounts: readonly SomeObject[] },
  nodesWanted: number,
): string[] {
  const ready = found.nodes.filter(({ status }) =>
    status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True"),
  );
  const hasAccount = found.accounts.some(({ metadata }) => metadata?.name === "default");
  return [
    ...(ready.length >= nodesWanted ? [] : [`${ready.length} of ${nodesWanted} nodes are Ready`]),
    ...(hasAccount ? [] : ["no default service account yet"]),
  ];
}
