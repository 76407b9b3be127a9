import { invalidArgument } from '@flowforge/runtime/status'

/** Refuses paths that cannot be updated (AIP-134). `*` stands for all that can. */
export function checkMask(mask: string[] | undefined, updatable: string[]): void {
  const unknown = mask?.find((path) => path !== '*' && !updatable.includes(path))
  if (unknown !== undefined)
    throw invalidArgument({
      field: 'update_mask',
      description: `names "${unknown}"; only ${updatable.join(', ')} can be updated`,
    })
}

/** True if the mask names the path, or, without a mask, if the field is set. */
export function isMasked(mask: string[] | undefined, path: string, isSet: boolean): boolean {
  if (!mask || mask.length === 0) return isSet
  return mask.includes(path) || mask.includes('*')
}
