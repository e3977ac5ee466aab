/**
 * The name of a message in OpenAPI documents: upstream's host comes first (`io.k8s.api.core.v1.Pod`), others keep
 * their protobuf name.
 */
export function componentName(messageName: string): string {
  return messageName.startsWith("k8s.io.") ? `io.k8s.${messageName.slice("k8s.io.".length)}` : messageName;
}
