/**
 * Why a patch was not applied; the server answers `malformed` with 400, `too-large` with 413 and `rejected` with 422.
 * Source: kubernetes/apiserver:pkg/endpoints/handlers/patch.go.
 */
export type PatchErrorKind = "malformed" | "too-large" | "rejected";

export class PatchError extends Error {
  readonly kind: PatchErrorKind;

  constructor(kind: PatchErrorKind, message: string) {
    super(message);
    this.name = "PatchError";
    this.kind = kind;
  }
}
