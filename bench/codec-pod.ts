/**
 * A running Pod of about 4 kB as clients send and get it, without and with what server-side apply keeps. `index` gives it
 * names, addresses, identities and a time of its own, so that a codec cannot live on having seen the same Pod before.
 */
export function benchPod(index: number, options: { readonly managedFields: boolean }): object {
  const hash = (index * 2_654_435_761 + 4_000_000_000).toString(16).slice(-8);
  const created = new Date(Date.UTC(2026, 2, 4, 5, 6, 7) + index * 61_000).toISOString().replace(".000", "");
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: {
      name: `web-7c5ddbdf54-${hash.slice(0, 5)}`,
      generateName: "web-7c5ddbdf54-",
      namespace: "shop",
      uid: `${hash}-8a0e-4c40-9a4b-0f2f8f7d1c11`,
      resourceVersion: String(184_467 + index),
      generation: 1,
      creationTimestamp: created,
      labels: {
        app: "web",
        "app.kubernetes.io/component": "frontend",
        "app.kubernetes.io/name": "web",
        "pod-template-hash": "7c5ddbdf54",
      },
      annotations: { "prometheus.io/port": "8080", "prometheus.io/scrape": "true" },
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "ReplicaSet",
          name: "web-7c5ddbdf54",
          uid: "d9f6a0f1-6a44-4a5c-b4f2-3f1f3a1f9b11",
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
      ...(options.managedFields ? { managedFields: managedFields(created) } : {}),
    },
    spec: spec(hash),
    status: status(created, index, hash),
  };
}

function spec(hash: string): object {
  const token = `kube-api-access-${hash.slice(0, 5)}`;
  return {
    volumes: [
      {
        name: token,
        projected: {
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
            { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
            {
              downwardAPI: {
                items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
              },
            },
          ],
          defaultMode: 420,
        },
      },
      { name: "cache", emptyDir: { sizeLimit: "256Mi" } },
    ],
    containers: [
      {
        name: "web",
        image: "registry.example.com/shop/web:1.24.3",
        args: ["--listen=:8080", "--log-level=info"],
        ports: [{ name: "http", containerPort: 8080, protocol: "TCP" }],
        env: [
          { name: "POD_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } } },
          { name: "BACKEND_URL", value: "http://backend.shop.svc.cluster.local:9000" },
          { name: "DATABASE_PASSWORD", valueFrom: { secretKeyRef: { name: "database", key: "password" } } },
        ],
        resources: { limits: { cpu: "500m", memory: "256Mi" }, requests: { cpu: "100m", memory: "128Mi" } },
        volumeMounts: [
          { name: "cache", mountPath: "/var/cache/web" },
          {
            name: token,
            readOnly: true,
            mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
          },
        ],
        livenessProbe: {
          httpGet: { path: "/healthz", port: "http", scheme: "HTTP" },
          initialDelaySeconds: 5,
          timeoutSeconds: 1,
          periodSeconds: 10,
          successThreshold: 1,
          failureThreshold: 3,
        },
        readinessProbe: {
          httpGet: { path: "/readyz", port: 8080, scheme: "HTTP" },
          timeoutSeconds: 1,
          periodSeconds: 10,
          successThreshold: 1,
          failureThreshold: 3,
        },
        terminationMessagePath: "/dev/termination-log",
        terminationMessagePolicy: "File",
        imagePullPolicy: "IfNotPresent",
        securityContext: { runAsNonRoot: true, allowPrivilegeEscalation: false },
      },
    ],
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    serviceAccountName: "web",
    serviceAccount: "web",
    nodeName: "node-1",
    securityContext: { runAsUser: 1000, fsGroup: 2000 },
    schedulerName: "default-scheduler",
    tolerations: [
      { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
      { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
    ],
    priority: 0,
    enableServiceLinks: true,
    preemptionPolicy: "PreemptLowerPriority",
  };
}

function status(created: string, index: number, hash: string): object {
  const podIP = `10.244.${index >> 8}.${index & 255}`;
  const condition = (type: string): object => ({
    type,
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: created,
  });
  return {
    phase: "Running",
    conditions: ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition),
    hostIP: "192.168.10.11",
    hostIPs: [{ ip: "192.168.10.11" }],
    podIP,
    podIPs: [{ ip: podIP }],
    startTime: created,
    containerStatuses: [
      {
        name: "web",
        state: { running: { startedAt: created } },
        lastState: {},
        ready: true,
        restartCount: 0,
        image: "registry.example.com/shop/web:1.24.3",
        imageID:
          "registry.example.com/shop/web@sha256:6af79ae5de407283dcea8b00d5c37ace95441fd58a8b1d2aa1ed93f5511bb18c",
        containerID: `containerd://${hash}2f9a2c6d0b6b1a7a0e9c8d7f6e5d4c3b2a1908f7e6d5c4b3a2918070`,
        started: true,
      },
    ],
    qosClass: "Burstable",
  };
}

function managedFields(time: string): object[] {
  const entry = (manager: string, fields: object, subresource?: string): object => ({
    manager,
    operation: "Update",
    apiVersion: "v1",
    time,
    fieldsType: "FieldsV1",
    fieldsV1: fields,
    ...(subresource === undefined ? {} : { subresource }),
  });
  const condition = { ".": {}, "f:lastProbeTime": {}, "f:lastTransitionTime": {}, "f:status": {}, "f:type": {} };
  return [
    entry("kube-controller-manager", {
      "f:metadata": { "f:generateName": {}, "f:labels": { ".": {}, "f:app": {}, "f:pod-template-hash": {} } },
      "f:spec": {
        "f:containers": { 'k:{"name":"web"}': { ".": {}, "f:image": {}, "f:name": {}, "f:resources": {} } },
        "f:dnsPolicy": {},
        "f:restartPolicy": {},
      },
    }),
    entry(
      "kubelet",
      {
        "f:status": {
          "f:conditions": { 'k:{"type":"Initialized"}': condition, 'k:{"type":"Ready"}': condition },
          "f:containerStatuses": {},
          "f:phase": {},
          "f:podIP": {},
        },
      },
      "status",
    ),
  ];
}
