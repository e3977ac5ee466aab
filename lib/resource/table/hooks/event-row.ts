import type { Event as CoreEvent, EventSource, ObjectReference } from "../../../gen/k8s/core/v1.ts";
import type { Event } from "../../../gen/k8s/events/v1.ts";
import { humanAge } from "../human-duration.ts";
import type { ComputedRow } from "../row-hook.ts";

interface EventParts {
  readonly first: string | undefined;
  readonly last: string | undefined;
  readonly eventTime: string | undefined;
  readonly series: { readonly count?: number; readonly lastObservedTime?: string } | undefined;
  readonly count: number;
  readonly object: ObjectReference | undefined;
  readonly source: EventSource | undefined;
  readonly component: string | undefined;
  readonly instance: string | undefined;
  readonly message: string | undefined;
}

export function coreEventRow(event: CoreEvent, nowMs: number): ComputedRow {
  const parts: EventParts = {
    first: event.firstTimestamp,
    last: event.lastTimestamp,
    eventTime: event.eventTime,
    series: event.series,
    count: event.count ?? 0,
    object: event.involvedObject,
    source: event.source,
    component: event.reportingComponent,
    instance: event.reportingInstance,
    message: event.message,
  };
  return row(parts, nowMs);
}

export function eventRow(event: Event, nowMs: number): ComputedRow {
  const parts: EventParts = {
    first: event.deprecatedFirstTimestamp,
    last: event.deprecatedLastTimestamp,
    eventTime: event.eventTime,
    series: event.series,
    count: event.deprecatedCount ?? 0,
    object: event.regarding,
    source: event.deprecatedSource,
    component: event.reportingController,
    instance: event.reportingInstance,
    message: event.note,
  };
  return row(parts, nowMs);
}

function row(event: EventParts, nowMs: number): ComputedRow {
  const first = humanAge(event.first ?? event.eventTime, nowMs);
  const last = event.last === undefined ? first : humanAge(event.last, nowMs);
  const kind = (event.object?.kind ?? "").toLowerCase();
  return {
    cells: {
      "Last Seen": event.series === undefined ? last : humanAge(event.series.lastObservedTime, nowMs),
      Object: event.object?.name === undefined ? kind : `${kind}/${event.object.name}`,
      Subobject: event.object?.fieldPath ?? "",
      Source: [event.source?.component ?? event.component, event.source?.host ?? event.instance]
        .filter((part, index) => index === 0 || part !== undefined)
        .map((part) => part ?? "")
        .join(", "),
      Message: (event.message ?? "").trim(),
      "First Seen": first,
      Count: event.series === undefined ? event.count || 1 : (event.series.count ?? 0),
    },
  };
}
