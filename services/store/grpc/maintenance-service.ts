import {
  AlarmRequest_AlarmAction,
  AlarmType,
  type MaintenanceDefinition,
} from "../../../lib/gen/etcd/etcdserverpb/rpc.ts";
import type { ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import { RpcError } from "../../../lib/transport/rpc-error.ts";
import type { SqliteStore } from "../sqlite-store.ts";
import { stateHash } from "../state-hash.ts";
import { answering, headerOf, RAFT_TERM } from "./response-header.ts";

/** `etcdserverpb.Maintenance`. */
export function maintenanceService(store: SqliteStore): ServiceHandlers<typeof MaintenanceDefinition> {
  const alone = async () => {
    throw new RpcError("UNIMPLEMENTED", "this store has one member");
  };
  const alarms = () => (store.alarm ? [{ memberID: store.identity.memberId, alarm: AlarmType.NOSPACE }] : []);
  return {
    status: () =>
      answering(async () => {
        const status = await store.status();
        return {
          header: headerOf(store, status.revision),
          version: status.version,
          dbSize: BigInt(status.dbSizeBytes),
          leader: store.identity.memberId,
          raftIndex: BigInt(status.revision),
          raftTerm: RAFT_TERM,
          raftAppliedIndex: BigInt(status.revision),
          errors: store.alarm ? [`memberID:${store.identity.memberId} alarm:NOSPACE `] : [],
          dbSizeInUse: BigInt(status.dbSizeInUseBytes),
          isLearner: false,
          storageVersion: status.version,
          dbSizeQuota: BigInt(store.quotaBytes),
          downgradeInfo: undefined,
        };
      }),
    alarm: (request) =>
      answering(async () => {
        if (request.action === AlarmRequest_AlarmAction.GET) return { header: headerOf(store), alarms: alarms() };
        if (request.alarm !== AlarmType.NOSPACE) {
          throw new RpcError("INVALID_ARGUMENT", "only the alarm NOSPACE can be raised and cleared");
        }
        const before = alarms();
        await store.setAlarm(request.action === AlarmRequest_AlarmAction.ACTIVATE);
        const cleared = request.action === AlarmRequest_AlarmAction.DEACTIVATE && !store.alarm;
        return { header: headerOf(store), alarms: cleared ? before : alarms() };
      }),
    defragment: () =>
      answering(async () => {
        await store.defragment();
        return { header: headerOf(store) };
      }),
    hash: () =>
      answering(async () => {
        const { hash, revision } = await stateHash(store, 0);
        return { header: headerOf(store, revision), hash };
      }),
    hashKV: (request) =>
      answering(async () => {
        const { hash, revision } = await stateHash(store, Number(request.revision));
        const { compactRevision } = await store.status();
        const compact = BigInt(compactRevision === 0 ? -1 : compactRevision);
        return { header: headerOf(store), hash, compactRevision: compact, hashRevision: BigInt(revision) };
      }),
    async *snapshot(_request, call) {
      const snapshot = await answering(() => store.snapshot());
      try {
        const header = headerOf(store, snapshot.revision);
        let remaining = snapshot.sizeBytes;
        for await (const blob of snapshot.chunks()) {
          if (call.signal.aborted) return;
          remaining -= blob.length;
          yield { header, remainingBytes: BigInt(remaining), blob, version: store.version };
        }
      } finally {
        await snapshot.dispose();
      }
    },
    moveLeader: alone,
    downgrade: alone,
  };
}
