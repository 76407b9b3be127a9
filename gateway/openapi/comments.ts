/** The comments of the contracts, which buf keeps in the descriptors. */
import type {
  DescEnum,
  DescEnumValue,
  DescField,
  DescFile,
  DescMessage,
  DescMethod,
  DescService,
} from '@bufbuild/protobuf'

type Commented = DescMessage | DescField | DescEnum | DescEnumValue | DescService | DescMethod

const byFile = new WeakMap<DescFile, Map<string, string>>()

/** The comment above a declaration, its lines joined to paragraphs; empty if there is none. */
export function commentOf(desc: Commented): string {
  const file = fileOf(desc)
  let comments = byFile.get(file)
  if (comments === undefined) byFile.set(file, (comments = readComments(file)))
  return comments.get(pathOf(desc).join('.')) ?? ''
}

/** The first sentence of a comment, without its full stop. */
export function firstSentence(comment: string): string {
  return /^(.*?)\.(?:\s|$)/s.exec(comment)?.[1] ?? comment
}

function readComments(file: DescFile): Map<string, string> {
  const locations = file.proto.sourceCodeInfo?.location ?? []
  return new Map(locations.map(({ path, leadingComments }) => [path.join('.'), paragraphs(leadingComments)]))
}

function paragraphs(comment: string): string {
  return comment
    .split(/\n\s*\n/)
    .map((paragraph) =>
      paragraph
        .split('\n')
        .map((line) => line.trim())
        .join(' ')
        .trim(),
    )
    .join('\n\n')
}

function fileOf(desc: Commented): DescFile {
  if (desc.kind === 'field' || desc.kind === 'rpc' || desc.kind === 'enum_value') return desc.parent.file
  return desc.file
}

/** Where a declaration stands in its file: numbers of fields of FileDescriptorProto and the like, and indexes. */
function pathOf(desc: Commented): number[] {
  switch (desc.kind) {
    case 'service':
      return [6, desc.file.services.indexOf(desc)]
    case 'rpc':
      return [...pathOf(desc.parent), 2, desc.parent.methods.indexOf(desc)]
    case 'message':
      return desc.parent === undefined
        ? [4, desc.file.proto.messageType.indexOf(desc.proto)]
        : [...pathOf(desc.parent), 3, desc.parent.proto.nestedType.indexOf(desc.proto)]
    case 'enum':
      return desc.parent === undefined
        ? [5, desc.file.proto.enumType.indexOf(desc.proto)]
        : [...pathOf(desc.parent), 4, desc.parent.proto.enumType.indexOf(desc.proto)]
    case 'field':
      return [...pathOf(desc.parent), 2, desc.parent.fields.indexOf(desc)]
    case 'enum_value':
      return [...pathOf(desc.parent), 2, desc.parent.values.indexOf(desc)]
  }
}
