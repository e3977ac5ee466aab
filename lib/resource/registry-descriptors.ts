import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Field, GroupVersion, Kind, Message, Resource, StringType } from "../gen/keelson/v1/annotations.ts";

/**
 * The part of a `google.protobuf.FileDescriptorSet` that kinds are made of, with their annotations. Read by hand because
 * every process reads it at start: general descriptors cost three times the budget (docs/decisions/0002-registry-start.md).
 */
export interface FileDescriptor {
  readonly path: string;
  readonly package: string;
  readonly api: GroupVersion | undefined;
  readonly stringTypes: ReadonlyMap<string, StringType>;
  readonly messages: readonly MessageDescriptor[];
}

export interface MessageDescriptor {
  /** Full name, without a leading dot. */
  readonly name: string;
  readonly file: FileDescriptor;
  readonly fields: readonly FieldDescriptor[];
  readonly isMapEntry: boolean;
  readonly resource: Resource | undefined;
  readonly kind: Kind;
  readonly options: Message | undefined;
  readonly comment: string;
}

export interface FieldDescriptor {
  readonly name: string;
  readonly number: number;
  readonly jsonName: string;
  readonly repeated: boolean;
  /** `FieldDescriptorProto.Type`. */
  readonly type: number;
  /** Full name of a message, without a leading dot. */
  readonly typeName: string;
  readonly options: Field | undefined;
  readonly comment: string;
}

const fileTags = { name: 1, package: 2, message: 4, options: 8, sourceInfo: 9 } as const;
const messageTags = { name: 1, field: 2, nested: 3, options: 7 } as const;
const fieldTags = { name: 1, number: 3, label: 4, type: 5, typeName: 6, options: 8, jsonName: 10 } as const;
const optionTags = {
  mapEntry: 7,
  api: 50800,
  stringType: 50801,
  resource: 50810,
  kind: 50811,
  message: 50812,
  field: 50820,
};
const repeatedLabel = 3;

/** Throws when the bytes are not a descriptor set. */
export function readDescriptorSet(bytes: Uint8Array): FileDescriptor[] {
  const files: FileDescriptor[] = [];
  eachField(bytes, (tag, reader) => {
    if (tag !== 1) return false;
    files.push(readFile(reader.bytes()));
    return true;
  });
  return files;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

type Comments = () => ReadonlyMap<string, string>;

function readFile(bytes: Uint8Array): FileDescriptor {
  const messageBytes: Uint8Array[] = [];
  const stringTypes = new Map<string, StringType>();
  let sourceInfo: Uint8Array = new Uint8Array();
  const file: Mutable<FileDescriptor> = { path: "", package: "", api: undefined, stringTypes, messages: [] };
  eachField(bytes, (tag, reader) => {
    if (tag === fileTags.name) file.path = reader.string();
    else if (tag === fileTags.package) file.package = reader.string();
    else if (tag === fileTags.message) messageBytes.push(reader.bytes());
    else if (tag === fileTags.options) file.api = readFileOptions(reader.bytes(), stringTypes) ?? file.api;
    else if (tag === fileTags.sourceInfo) sourceInfo = reader.bytes();
    else return false;
    return true;
  });
  const comments = once(() => readComments(sourceInfo));
  const messages: MessageDescriptor[] = [];
  messageBytes.forEach((message, index) => {
    readMessage(message, { file, scope: file.package, path: `4,${index}`, comments }, messages);
  });
  file.messages = messages;
  return file;
}

function readFileOptions(bytes: Uint8Array, stringTypes: Map<string, StringType>): GroupVersion | undefined {
  let api: GroupVersion | undefined;
  eachField(bytes, (tag, reader) => {
    if (tag === optionTags.api) api = GroupVersion.decode(reader.bytes());
    else if (tag === optionTags.stringType) {
      const type = StringType.decode(reader.bytes());
      stringTypes.set(type.name, type);
    } else return false;
    return true;
  });
  return api;
}

interface MessagePlace {
  readonly file: FileDescriptor;
  readonly scope: string;
  /** Key of the message in the file's comments. */
  readonly path: string;
  readonly comments: Comments;
}

/** Fields wait until somebody asks for them: a process uses few of the kinds, and starts the sooner. */
function readMessage(bytes: Uint8Array, place: MessagePlace, found: MessageDescriptor[]): void {
  const { file, path, comments } = place;
  const fieldBytes: Uint8Array[] = [];
  const nested: Uint8Array[] = [];
  const fields = once(() =>
    fieldBytes.map((field, index) => readField(field, comments().get(`${path},2,${index}`) ?? "")),
  );
  const message: Mutable<MessageDescriptor> = {
    name: "",
    file,
    get fields() {
      return fields();
    },
    get comment() {
      return comments().get(path) ?? "";
    },
    isMapEntry: false,
    resource: undefined,
    kind: Kind.KIND_UNSPECIFIED,
    options: undefined,
  };
  eachField(bytes, (tag, reader) => {
    if (tag === messageTags.name) message.name = `${place.scope}.${reader.string()}`;
    else if (tag === messageTags.field) fieldBytes.push(reader.bytes());
    else if (tag === messageTags.nested) nested.push(reader.bytes());
    else if (tag === messageTags.options) readMessageOptions(reader.bytes(), message);
    else return false;
    return true;
  });
  found.push(message);
  nested.forEach((bytes, index) => {
    readMessage(bytes, { file, scope: message.name, path: `${path},3,${index}`, comments }, found);
  });
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function readMessageOptions(bytes: Uint8Array, message: Mutable<MessageDescriptor>): void {
  eachField(bytes, (tag, reader) => {
    if (tag === optionTags.mapEntry) message.isMapEntry = reader.bool();
    else if (tag === optionTags.resource) message.resource = Resource.decode(reader.bytes());
    else if (tag === optionTags.kind) message.kind = reader.int32() as Kind;
    else if (tag === optionTags.message) message.options = Message.decode(reader.bytes());
    else return false;
    return true;
  });
}

function readField(bytes: Uint8Array, comment: string): FieldDescriptor {
  const field: Mutable<FieldDescriptor> = {
    name: "",
    number: 0,
    jsonName: "",
    repeated: false,
    type: 0,
    typeName: "",
    options: undefined,
    comment,
  };
  eachField(bytes, (tag, reader) => {
    if (tag === fieldTags.name) field.name = reader.string();
    else if (tag === fieldTags.number) field.number = reader.int32();
    else if (tag === fieldTags.label) field.repeated = reader.int32() === repeatedLabel;
    else if (tag === fieldTags.type) field.type = reader.int32();
    else if (tag === fieldTags.typeName) field.typeName = reader.string().slice(1);
    else if (tag === fieldTags.jsonName) field.jsonName = reader.string();
    else if (tag === fieldTags.options) field.options = readFieldOptions(reader.bytes());
    else return false;
    return true;
  });
  return field;
}

function readFieldOptions(bytes: Uint8Array): Field | undefined {
  let options: Field | undefined;
  eachField(bytes, (tag, reader) => {
    if (tag !== optionTags.field) return false;
    options = Field.decode(reader.bytes());
    return true;
  });
  return options;
}

/** Leading comments by the path of what they describe, its numbers joined by commas. */
function readComments(bytes: Uint8Array): Map<string, string> {
  const comments = new Map<string, string>();
  eachField(bytes, (tag, reader) => {
    if (tag !== 1) return false;
    const path: number[] = [];
    let comment = "";
    eachField(reader.bytes(), (part, location) => {
      if (part === 1) {
        const end = location.uint32() + location.pos;
        while (location.pos < end) path.push(location.int32());
      } else if (part === 3) comment = location.string();
      else return false;
      return true;
    });
    if (comment !== "") comments.set(path.join(","), comment.replace(/\s+/g, " ").trim());
    return true;
  });
  return comments;
}

/** `visit` reads the field's value and returns true, or returns false to have it skipped. */
function eachField(bytes: Uint8Array, visit: (tag: number, reader: BinaryReader) => boolean): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [tag, wireType] = reader.tag();
    if (!visit(tag, reader)) reader.skip(wireType, tag);
  }
}
