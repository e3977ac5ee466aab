/**
 * `$(NAME)` in commands, arguments and values; `$$` is a dollar sign. A name that is not known stays as written; source:
 * kubernetes/website:content/en/docs/tasks/inject-data-application/define-interdependent-environment-variables.md.
 */
export function expand(text: string, lookUp: (name: string) => string | undefined): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) => {
    if (whole === "$$") return "$";
    return (name === undefined ? undefined : lookUp(name)) ?? whole;
  });
}
