// The scenario of test/clients with code that buf, protoc-gen-go and protoc-gen-go-grpc made: main ADDRESS FOLDER NAME.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	coordinationv1 "keelson.test/client/gen/k8s.io/api/coordination/v1"
	corev1 "keelson.test/client/gen/k8s.io/api/core/v1"
	metav1 "keelson.test/client/gen/k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationapi "keelson.test/client/gen/keelson/api/coordination/v1"
	coreapi "keelson.test/client/gen/keelson/api/core/v1"
	api "keelson.test/client/gen/keelson/api/v1"
)

const namespace = "default"

func main() {
	log.SetFlags(0)
	address, folder, name := os.Args[1], os.Args[2], os.Args[3]
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentialsIn(folder)))
	must(err)
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	run(ctx, connection, name)
}

func run(ctx context.Context, connection *grpc.ClientConn, name string) {
	maps := coreapi.NewConfigMapServiceClient(connection)
	resources := api.NewResourcesClient(connection)
	listed := need(maps.List(ctx, &coreapi.ConfigMapServiceListRequest{Namespace: namespace}))
	watch := need(maps.Watch(ctx, &coreapi.ConfigMapServiceWatchRequest{
		Namespace:       namespace,
		ResourceVersion: listed.ResourceVersion,
		Selectors:       &api.Selectors{Field: "metadata.name=" + name},
	}))
	var events []*coreapi.ConfigMapServiceWatchEvent
	saw := func() {
		for len(events) == 0 {
			events = need(watch.Recv()).Events
		}
		event := events[0]
		events = events[1:]
		kind := strings.TrimPrefix(event.Type.String(), "WATCH_EVENT_TYPE_")
		fmt.Println("watched", kind, event.Object.Metadata.GetName(), event.Object.Data["a"])
	}
	get := func(name string) error {
		_, err := maps.Get(ctx, &coreapi.ConfigMapServiceGetRequest{Namespace: namespace, Name: name})
		return err
	}

	created := need(maps.Create(ctx, &coreapi.ConfigMapServiceCreateRequest{
		Namespace: namespace,
		Object:    &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Name: proto.String(name)}, Data: map[string]string{"a": "1"}},
	})).Object
	fmt.Println("created", created.Metadata.GetName(), created.Data["a"])
	saw()

	created.Data["a"] = "2"
	update := &coreapi.ConfigMapServiceUpdateRequest{Namespace: namespace, Name: name, Object: created}
	fmt.Println("updated", need(maps.Update(ctx, update)).Object.Data["a"])
	saw()
	_, err := maps.Update(ctx, update)
	fmt.Println("conflict", failure(err))

	need(coordinationapi.NewLeaseServiceClient(connection).Create(ctx, &coordinationapi.LeaseServiceCreateRequest{
		Namespace: namespace,
		Object: &coordinationv1.Lease{
			Metadata: &metav1.ObjectMeta{Name: proto.String(name)},
			Spec:     &coordinationv1.LeaseSpec{HolderIdentity: proto.String("me"), LeaseTransitions: proto.Int32(3)},
		},
	}))
	transact := func(transitions int32, operations ...*api.Operation) (*api.TransactResponse, error) {
		fence := &api.Fence{Namespace: namespace, Name: name, Holder: "me", Transitions: transitions}
		return resources.Transact(ctx, &api.TransactRequest{Fence: fence, Operations: operations})
	}
	both := need(transact(3, create("configmaps", "ConfigMap", name+"-t"), create("secrets", "Secret", name+"-t")))
	fmt.Println("transacted", len(both.Objects))
	_, err = transact(3, create("configmaps", "ConfigMap", name+"-u"), create("secrets", "Secret", name+"-t"))
	fmt.Println("taken", failure(err))
	fmt.Println("absent", failure(get(name+"-u")))
	_, err = transact(2, create("configmaps", "ConfigMap", name+"-v"))
	fmt.Println("fenced", failure(err))

	need(maps.Delete(ctx, &coreapi.ConfigMapServiceDeleteRequest{Namespace: namespace, Name: name}))
	saw()
	fmt.Println("deleted", failure(get(name)))
}

// The code of a call that must fail, and the Kubernetes Status in its details.
func failure(err error) string {
	if err == nil {
		log.Fatal("the call did not fail")
	}
	failed := status.Convert(err)
	for _, detail := range failed.Details() {
		if kubernetes, ok := detail.(*metav1.Status); ok {
			return fmt.Sprintf("%s %s %d", codeName(failed.Code()), kubernetes.GetReason(), kubernetes.GetCode())
		}
	}
	log.Fatalf("the details hold no Status: %v", err)
	return ""
}

func codeName(code codes.Code) string {
	names := map[codes.Code]string{codes.Aborted: "ABORTED", codes.AlreadyExists: "ALREADY_EXISTS", codes.NotFound: "NOT_FOUND"}
	return names[code]
}

func create(resource, kind, name string) *api.Operation {
	metadata := map[string]string{"name": name}
	data := need(json.Marshal(map[string]any{"kind": kind, "apiVersion": "v1", "metadata": metadata}))
	return &api.Operation{Operation: &api.Operation_Create{Create: &api.CreateRequest{
		Target: &api.Target{Version: "v1", Resource: resource, Namespace: namespace},
		Object: &api.Object{Encoding: api.Encoding_ENCODING_JSON, Data: data},
	}}}
}

func credentialsIn(folder string) credentials.TransportCredentials {
	own := need(tls.LoadX509KeyPair(filepath.Join(folder, "client.crt"), filepath.Join(folder, "client.key")))
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(need(os.ReadFile(filepath.Join(folder, "ca.crt")))) {
		log.Fatal("ca.crt holds no certificate")
	}
	return credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{own}, RootCAs: authorities})
}

func need[T any](value T, err error) T {
	must(err)
	return value
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
