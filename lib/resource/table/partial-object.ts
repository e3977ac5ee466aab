/** A `meta.k8s.io/v1` PartialObjectMetadata in normal form: an object reduced to its metadata. */
export interface PartialObject {
  readonly kind: "PartialObjectMetadata";
  readonly apiVersion: "meta.k8s.io/v1";
  readonly metadata: object;
}

export function partialObject(object: { readonly metadata?: object }): PartialObject {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata ?? {} };
}

/** A list of them, with the metadata of the list itself. */
export interface PartialObjectList {
  readonly kind: "PartialObjectMetadataList";
  readonly apiVersion: "meta.k8s.io/v1";
  readonly metadata: object;
  readonly items: readonly PartialObject[];
}

export function partialObjectList(
  metadata: object,
  objects: readonly { readonly metadata?: object }[],
): PartialObjectList {
  return {
    kind: "PartialObjectMetadataList",
    apiVersion: "meta.k8s.io/v1",
    metadata,
    items: objects.map(partialObject),
  };
}
