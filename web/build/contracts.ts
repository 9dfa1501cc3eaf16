// Leaves validation rules and server-only options out of the bundle: browsers never evaluate them.
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { base64Decode, base64Encode } from '@bufbuild/protobuf/wire';
import { FileDescriptorProtoSchema, type DescriptorProto, type FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import type { Plugin } from 'vite';

const unused = ['file_buf_validate_validate', 'file_majlis_contract_v1_options'];
const descriptor = /fileDesc\("([^"]+)"(?:, \[([^\]]*)\])?\)/;

function stripMessage(message: DescriptorProto): void {
  for (const field of [...message.field, ...message.oneofDecl]) delete field.options;
  for (const nested of message.nestedType) stripMessage(nested);
}

/** The descriptor without field options and method policies; idempotency levels stay. */
export function strip(file: FileDescriptorProto): FileDescriptorProto {
  for (const message of file.messageType) {
    stripMessage(message);
    if (message.options) delete message.options.$unknown;
  }
  for (const service of file.service) {
    for (const method of service.method) if (method.options) delete method.options.$unknown;
  }
  return file;
}

/** Rewrites a generated module: smaller descriptor, no imports of descriptors that only servers read. */
export function slim(code: string): string {
  const lean = code.replace(descriptor, (_all, encoded: string, imports = '') => {
    const file = strip(fromBinary(FileDescriptorProtoSchema, base64Decode(encoded)));
    const kept = (imports as string).split(', ').filter((name) => name && !unused.includes(name));
    return `fileDesc("${base64Encode(toBinary(FileDescriptorProtoSchema, file), 'std_raw')}", [${kept.join(', ')}])`;
  });
  return unused.reduce((text, name) => text.replace(new RegExp(`^import \\{ ${name} \\} from .*$`, 'm'), ''), lean);
}

/** Slims every generated contract on its way into the bundle. */
export function slimContracts(): Plugin {
  return {
    name: 'slim-contracts',
    enforce: 'pre',
    transform(code, id) {
      return id.includes('/src/gen/majlis/') ? { code: slim(code), map: null } : null;
    },
  };
}
