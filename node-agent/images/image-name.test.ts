import { expect, test } from "vitest";
import { fullImageName } from "./image-name.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

test.each([
  ["nginx", "docker.io/library/nginx:latest"],
  ["nginx:1.27", "docker.io/library/nginx:1.27"],
  ["team/app", "docker.io/team/app:latest"],
  ["localhost/keelson/web:1", "localhost/keelson/web:1"],
  ["localhost:5000/app", "localhost:5000/app:latest"],
  ["registry.example.com/a/b:v1", "registry.example.com/a/b:v1"],
  [`nginx@${DIGEST}`, `docker.io/library/nginx@${DIGEST}`],
  [`nginx:1@${DIGEST}`, `docker.io/library/nginx@${DIGEST}`],
])("%s is %s", (name, full) => {
  expect(fullImageName(name)).toBe(full);
});

test.each([
  "",
  "Nginx",
  "nginx:",
  "nginx: 1",
  "a//b",
  "nginx\n",
  "-x",
  `nginx@sha256:1`,
  "a@b@c",
  "/nginx",
  "x".repeat(300),
])("%j is no name", (name) => {
  expect(fullImageName(name)).toBeUndefined();
});
