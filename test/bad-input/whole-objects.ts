/** An object of each kind that the server takes as it stands, with much in it that can be made wrong. */
export const WHOLE_OBJECTS: Readonly<Record<string, object>> = {
  "api/v1/namespaces/default/pods": {
    metadata: {
      name: "x",
      labels: { app: "web" },
      annotations: { "example.com/a": "b" },
      finalizers: ["example.com/f"],
      ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "n", uid: "u", controller: true }],
    },
    spec: {
      restartPolicy: "OnFailure",
      terminationGracePeriodSeconds: 30,
      nodeSelector: { disk: "ssd" },
      tolerations: [{ key: "k", operator: "Equal", value: "v", effect: "NoExecute", tolerationSeconds: 5 }],
      securityContext: { runAsUser: 1000, supplementalGroups: [1, 2], sysctls: [{ name: "a.b", value: "1" }] },
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: "zone", operator: "In", values: ["a"] }] }],
          },
        },
      },
      initContainers: [{ name: "init", image: "busybox", command: ["true"] }],
      containers: [
        {
          name: "c",
          image: "nginx",
          ports: [{ containerPort: 80, protocol: "TCP", name: "http" }],
          env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
          resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { cpu: "1", memory: "128Mi" } },
          livenessProbe: { httpGet: { path: "/", port: "http" }, periodSeconds: 5 },
          lifecycle: { preStop: { exec: { command: ["sleep", "1"] } } },
          volumeMounts: [{ name: "v", mountPath: "/v", subPath: "a" }],
        },
      ],
      volumes: [
        { name: "v", emptyDir: { medium: "Memory", sizeLimit: "1Gi" } },
        { name: "w", projected: { sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 3600 } }] } },
      ],
    },
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }], podIPs: [{ ip: "10.0.0.1" }] },
  },
  "api/v1/namespaces/default/services": {
    metadata: { name: "x" },
    spec: {
      selector: { app: "web" },
      type: "NodePort",
      ports: [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }],
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } },
    },
  },
  "api/v1/namespaces/default/configmaps": { metadata: { name: "x" }, data: { a: "b" }, binaryData: { c: "AAEC" } },
  "api/v1/namespaces/default/secrets": {
    metadata: { name: "x" },
    type: "kubernetes.io/basic-auth",
    stringData: { username: "u" },
    data: { password: "cA==" },
  },
  "api/v1/namespaces/default/events": {
    metadata: { name: "x" },
    involvedObject: { kind: "Pod", name: "p", namespace: "default" },
    reason: "Tested",
    type: "Normal",
    count: 2,
    firstTimestamp: "2026-01-01T00:00:00Z",
    eventTime: "2026-01-01T00:00:00.000000Z",
    series: { count: 3, lastObservedTime: "2026-01-01T00:00:00.000000Z" },
    reportingComponent: "test",
    reportingInstance: "one",
    action: "Testing",
  },
  "api/v1/namespaces/default/persistentvolumeclaims": {
    metadata: { name: "x" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, volumeMode: "Filesystem" },
  },
  "api/v1/namespaces/default/resourcequotas": {
    metadata: { name: "x" },
    spec: { hard: { pods: "10", cpu: "4" }, scopes: ["BestEffort"] },
  },
  "api/v1/namespaces/default/limitranges": {
    metadata: { name: "x" },
    spec: { limits: [{ type: "Container", max: { cpu: "2" }, default: { cpu: "1" } }] },
  },
  "api/v1/namespaces/default/endpoints": {
    metadata: { name: "x" },
    subsets: [{ addresses: [{ ip: "10.1.2.3" }], ports: [{ port: 80, name: "http" }] }],
  },
  "api/v1/nodes": {
    metadata: { name: "x" },
    spec: {
      taints: [{ key: "k", value: "v", effect: "NoSchedule" }],
      podCIDRs: ["10.0.0.0/24"],
      podCIDR: "10.0.0.0/24",
    },
    status: { capacity: { cpu: "2", memory: "4Gi" }, addresses: [{ type: "InternalIP", address: "10.0.0.1" }] },
  },
  "api/v1/namespaces": { metadata: { name: "x", labels: { team: "a" } }, spec: { finalizers: ["kubernetes"] } },
  "apis/apps/v1/namespaces/default/deployments": {
    metadata: { name: "x" },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: "web" }, matchExpressions: [{ key: "app", operator: "Exists" }] },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: 1 } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "nginx" }] } },
    },
  },
  "apis/apps/v1/namespaces/default/statefulsets": {
    metadata: { name: "x" },
    spec: {
      serviceName: "s",
      selector: { matchLabels: { app: "db" } },
      template: { metadata: { labels: { app: "db" } }, spec: { containers: [{ name: "c", image: "nginx" }] } },
      volumeClaimTemplates: [
        {
          metadata: { name: "data" },
          spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
        },
      ],
    },
  },
  "apis/coordination.k8s.io/v1/namespaces/default/leases": {
    metadata: { name: "x" },
    spec: {
      holderIdentity: "me",
      leaseDurationSeconds: 40,
      renewTime: "2026-01-01T00:00:00.000000Z",
      leaseTransitions: 1,
    },
  },
};
