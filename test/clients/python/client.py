"""The scenario of test/clients with code that protoc and its gRPC plugin made: client.py ADDRESS FOLDER NAME."""

import json
import sys

import grpc
from google.protobuf.json_format import ParseDict

from google.rpc import status_pb2
from k8s.io.api.coordination.v1 import lease_pb2
from k8s.io.api.core.v1 import config_map_pb2
from k8s.io.apimachinery.pkg.apis.meta.v1 import status_pb2 as meta_status_pb2
from keelson.api.coordination.v1 import lease_service_pb2, lease_service_pb2_grpc
from keelson.api.core.v1 import config_map_service_pb2 as maps_pb2
from keelson.api.core.v1 import config_map_service_pb2_grpc
from keelson.api.v1 import resources_pb2, resources_pb2_grpc

NAMESPACE = "default"
address, folder, name = sys.argv[1:]


def say(*words):
    print(*words, flush=True)


def read(file):
    with open(f"{folder}/{file}", "rb") as opened:
        return opened.read()


def failure(call, request):
    """The code of a call that must fail, and the Kubernetes Status in its details."""
    try:
        call(request, timeout=30)
    except grpc.RpcError as error:
        trailers = dict(error.trailing_metadata())
        details = status_pb2.Status.FromString(trailers["grpc-status-details-bin"]).details
        status = meta_status_pb2.Status()
        if not details[0].Unpack(status):
            raise AssertionError("the details hold no Status")
        return f"{error.code().name} {status.reason} {status.code}"
    raise AssertionError("the call did not fail")


def target(resource, group=""):
    return resources_pb2.Target(group=group, version="v1", resource=resource, namespace=NAMESPACE)


def create(resource, kind, object_name):
    data = json.dumps({"kind": kind, "apiVersion": "v1", "metadata": {"name": object_name}}).encode()
    body = resources_pb2.Object(encoding=resources_pb2.ENCODING_JSON, data=data)
    return resources_pb2.Operation(create=resources_pb2.CreateRequest(target=target(resource), object=body))


def transaction(transitions, *operations):
    fence = resources_pb2.Fence(namespace=NAMESPACE, name=name, holder="me", transitions=transitions)
    return resources_pb2.TransactRequest(fence=fence, operations=operations)


credentials = grpc.ssl_channel_credentials(read("ca.crt"), read("client.key"), read("client.crt"))
with grpc.secure_channel(address, credentials) as channel:
    maps = config_map_service_pb2_grpc.ConfigMapServiceStub(channel)
    leases = lease_service_pb2_grpc.LeaseServiceStub(channel)
    resources = resources_pb2_grpc.ResourcesStub(channel)

    listed = maps.List(maps_pb2.ConfigMapServiceListRequest(namespace=NAMESPACE))
    watch = maps.Watch(
        maps_pb2.ConfigMapServiceWatchRequest(
            namespace=NAMESPACE,
            resource_version=listed.resource_version,
            selectors=resources_pb2.Selectors(field=f"metadata.name={name}"),
        )
    )
    events = (event for batch in watch for event in batch.events)

    def saw():
        event = next(events)
        kind = resources_pb2.WatchEventType.Name(event.type).removeprefix("WATCH_EVENT_TYPE_")
        say("watched", kind, event.object.metadata.name, event.object.data["a"])

    new = ParseDict({"metadata": {"name": name}, "data": {"a": "1"}}, config_map_pb2.ConfigMap())
    created = maps.Create(maps_pb2.ConfigMapServiceCreateRequest(namespace=NAMESPACE, object=new)).object
    say("created", created.metadata.name, created.data["a"])
    saw()

    changed = config_map_pb2.ConfigMap()
    changed.CopyFrom(created)
    changed.data["a"] = "2"
    update = maps_pb2.ConfigMapServiceUpdateRequest(namespace=NAMESPACE, name=name, object=changed)
    say("updated", maps.Update(update).object.data["a"])
    saw()
    say("conflict", failure(maps.Update, update))

    lease = lease_pb2.Lease()
    lease.metadata.name = name
    lease.spec.holderIdentity = "me"
    lease.spec.leaseTransitions = 3
    leases.Create(lease_service_pb2.LeaseServiceCreateRequest(namespace=NAMESPACE, object=lease))
    both = (create("configmaps", "ConfigMap", f"{name}-t"), create("secrets", "Secret", f"{name}-t"))
    say("transacted", len(resources.Transact(transaction(3, *both)).objects))
    half = (create("configmaps", "ConfigMap", f"{name}-u"), create("secrets", "Secret", f"{name}-t"))
    say("taken", failure(resources.Transact, transaction(3, *half)))
    say("absent", failure(maps.Get, maps_pb2.ConfigMapServiceGetRequest(namespace=NAMESPACE, name=f"{name}-u")))
    fenced = create("configmaps", "ConfigMap", f"{name}-v")
    say("fenced", failure(resources.Transact, transaction(2, fenced)))

    maps.Delete(maps_pb2.ConfigMapServiceDeleteRequest(namespace=NAMESPACE, name=name))
    saw()
    say("deleted", failure(maps.Get, maps_pb2.ConfigMapServiceGetRequest(namespace=NAMESPACE, name=name)))
    watch.cancel()
