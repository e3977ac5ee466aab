import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorSetSchema,
  SourceCodeInfo_LocationSchema,
  SourceCodeInfoSchema,
} from "@bufbuild/protobuf/wkt";

/** Everything in `proto/` without source positions: what reflection serves. */
export function wholeDescriptors(image: Uint8Array): Uint8Array {
  const set = fromBinary(FileDescriptorSetSchema, image);
  for (const file of set.file) stripSource(file);
  return toBinary(FileDescriptorSetSchema, set);
}

/** The files of kinds, with their comments and no positions; the annotations themselves are compiled in. */
export function servedDescriptors(image: Uint8Array): Uint8Array {
  const set = fromBinary(FileDescriptorSetSchema, image);
  set.file = set.file.filter((file) => file.package.startsWith("k8s.io."));
  for (const file of set.file) keepCommentsOnly(file);
  return toBinary(FileDescriptorSetSchema, set);
}

/** Finds the file, by its path below `proto/`, that defines a message. Throws for one that no file does. */
export function filesOfMessages(image: Uint8Array): (message: string) => string {
  const files = new Map<string, string>();
  for (const file of fromBinary(FileDescriptorSetSchema, image).file) {
    for (const message of file.messageType) files.set(`${file.package}.${message.name}`, file.name);
  }
  return (message) => {
    const file = files.get(message);
    if (file === undefined) throw new Error(`no file defines ${message}`);
    return file;
  };
}

function keepCommentsOnly(file: FileDescriptorProto): void {
  const commented = file.sourceCodeInfo?.location.filter((location) => location.leadingComments !== "") ?? [];
  stripSource(file);
  const declarations = commented.filter(({ path }) => path[0] === 4);
  if (declarations.length === 0) return;
  file.sourceCodeInfo = create(SourceCodeInfoSchema, {
    location: declarations.map(({ path, leadingComments }) =>
      create(SourceCodeInfo_LocationSchema, { path, leadingComments }),
    ),
  });
}

function stripSource(file: FileDescriptorProto): void {
  delete file.sourceCodeInfo;
  // buf's own marks (which files were imports), of no use here.
  delete file.$unknown;
}
