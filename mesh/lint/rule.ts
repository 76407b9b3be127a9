import type { Manifest, Manifests } from './manifests.ts'

/** What a rule has to say about one object. */
export interface Finding {
  object: Manifest
  /** What happens at run time, and what to write instead. */
  message: string
}

/** One way in which manifests look right and are not. */
export interface Rule {
  /** As users name it, `missing-catch-all`. */
  id: string
  /** In one line. */
  title: string
  judge(manifests: Manifests, context: LintContext): Finding[]
}

/** What manifests alone do not say. */
export interface LintContext {
  /** Paths `/package.Service/Method` of streams; undefined when no contracts were given. */
  streams: ReadonlySet<string> | undefined
  /** Whether linkerd-cni sets up the network of pods, so that they need no init container with privileges. */
  hasCni: boolean
}

/** A rule that looks at one object at a time: a message for those that break it. */
export function each<M extends Manifest>(
  id: string,
  title: string,
  objects: (manifests: Manifests) => M[],
  judge: (object: M, manifests: Manifests, context: LintContext) => string | undefined,
): Rule {
  return {
    id,
    title,
    judge: (manifests, context) =>
      objects(manifests).flatMap((object) => {
        const message = judge(object, manifests, context)
        return message === undefined ? [] : [{ object, message }]
      }),
  }
}
