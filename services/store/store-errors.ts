import { StoreError } from "../../lib/store/store.ts";

/** Clients match on these texts (contracts/etcd-v3.json `errors`). */
export const emptyKey = () => new StoreError("INVALID_ARGUMENT", "etcdserver: key is not provided");
export const keyNotFound = () => new StoreError("INVALID_ARGUMENT", "etcdserver: key not found");
export const valueProvided = () => new StoreError("INVALID_ARGUMENT", "etcdserver: value is provided");
export const leaseProvided = () => new StoreError("INVALID_ARGUMENT", "etcdserver: lease is provided");
export const tooManyOps = () => new StoreError("INVALID_ARGUMENT", "etcdserver: too many operations in txn request");
export const duplicateKey = () => new StoreError("INVALID_ARGUMENT", "etcdserver: duplicate key given in txn request");
export const invalidSort = () => new StoreError("INVALID_ARGUMENT", "etcdserver: invalid sort option");
export const requestTooLarge = () => new StoreError("INVALID_ARGUMENT", "etcdserver: request is too large");
export const compacted = () => new StoreError("OUT_OF_RANGE", "etcdserver: mvcc: required revision has been compacted");
export const futureRevision = () =>
  new StoreError("OUT_OF_RANGE", "etcdserver: mvcc: required revision is a future revision");
export const noSpace = () => new StoreError("RESOURCE_EXHAUSTED", "etcdserver: mvcc: database space exceeded");
export const leaseNotFound = () => new StoreError("NOT_FOUND", "etcdserver: requested lease not found");
export const leaseExists = () => new StoreError("FAILED_PRECONDITION", "etcdserver: lease already exists");
export const leaseTtlTooLarge = () => new StoreError("OUT_OF_RANGE", "etcdserver: too large lease TTL");
export const stopped = () => new StoreError("UNAVAILABLE", "etcdserver: server stopped");
export const dataLoss = () => new StoreError("DATA_LOSS", "etcdserver: corrupt cluster");
