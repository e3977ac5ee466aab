/** Fixtures of our own, so that the codec is tested where upstream's objects are absent. */

/** A Pod with most that JSON and protobuf treat differently, as a client may write it. */
export const POD_AS_WRITTEN = `{
  "apiVersion": "v1", "kind": "Pod",
  "metadata": {
    "name": "web", "namespace": "shop", "generation": 9007199254740993, "creationTimestamp": "2026-03-04T07:06:07.5+02:00",
    "labels": {"b": "2", "a": "1", "10": "ten", "9": "nine", "\\ud83d\\ude00": "smile", "\\uff5e": null},
    "annotations": {},
    "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {"f:x" : {}}, "1": 1.50}}]
  },
  "spec": {
    "hostNetwork": false, "nodeName": "", "priority": 0, "terminationGracePeriodSeconds": 0,
    "containers": [{
      "name": "c", "image": "i<1>", "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}},
      "livenessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 10},
      "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    }],
    "volumes": [{"name": "v", "emptyDir": {}}],
    "securityContext": null
  },
  "status": {}
}`;

/** What upstream prints of it. */
export const POD_AS_PRINTED =
  '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web","namespace":"shop","generation":9007199254740993,' +
  '"creationTimestamp":"2026-03-04T05:06:07Z",' +
  '"labels":{"10":"ten","9":"nine","a":"1","b":"2","～":"","😀":"smile"},' +
  '"managedFields":[{"manager":"m","fieldsV1":{"f:spec":{"f:x":{}},"1":1.50}}]},' +
  '"spec":{"volumes":[{"name":"v","emptyDir":{}}],' +
  '"containers":[{"name":"c","image":"i\\u003c1\\u003e",' +
  '"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}],' +
  '"resources":{"limits":{"cpu":"500m","memory":"1Gi"}},' +
  '"livenessProbe":{"httpGet":{"port":"http"},"periodSeconds":10}}],' +
  '"terminationGracePeriodSeconds":0,"priority":0},"status":{}}';
