import { defineConfig } from "vitest/config";

/** Unit and tidy are the inner loop; the other suites are run one by one by test/run.ts. */
export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    teardownTimeout: 5_000,
    projects: [
      {
        test: {
          name: "unit",
          include: ["{lib,services,node-agent,cni-plugins,cluster,cli}/**/*.test.ts"],
          // Files share a process and what it has loaded: loading anew for each cost more than the tests themselves.
          isolate: false,
          // Far above what any of them takes, so that a busy machine fails none.
          testTimeout: 60_000,
        },
      },
      { test: { name: "tidy", include: ["test/tidy/**/*.test.ts"], isolate: false } },
      {
        test: {
          name: "suites",
          include: ["test/*/**/*.test.ts"],
          exclude: ["test/tidy/**"],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
