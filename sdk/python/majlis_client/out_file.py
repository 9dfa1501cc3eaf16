"""A file to record to that is known to be writable beforehand, and keeps what it has when the disk is full."""

import io
import os
import stat
from pathlib import Path

from majlis_client.errors import MajlisError

_TRIED_BYTES = 4096


class OutFile:
    """What FFmpeg writes to, instead of opening a name that it may take for a URL.

    Raises MajlisError, FILE_UNWRITABLE, where nothing can be written; what a file of that name holds is touched by
    `begin` only. Later failures are kept in `failure` and not raised: raised into a muxer, they would keep it from
    finishing what is there.
    """

    def __init__(self, path: Path) -> None:
        self.failure = ""
        """What the system said of the first write that failed; empty while all is well."""
        self.name = path.name
        self._path = path
        self._begun = False
        try:
            self._file, self._created = _open(path)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._try()
        except OSError as error:
            self.close()
            raise _unwritable(path, error) from error

    def begin(self) -> None:
        """Recording begins: what the file held before goes."""
        self._begun = True
        if self._is_regular():
            self._file.truncate(0)

    def write(self, data: bytes) -> int:
        """Writes all of it, or as much as there is room for; always says that all was written."""
        at = 0
        try:
            while at < len(data) and not self.failure:
                at += self._file.write(data[at:]) or 0
        except OSError as error:
            self.failure = error.strerror or str(error)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a place; the head of a file is written again when its length is known."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where the next byte goes."""
        return self._file.tell()

    def close(self) -> None:
        """Closes the file; one that was made here and never used goes again."""
        try:
            self._file.close()
        except OSError as error:
            self.failure = self.failure or error.strerror or str(error)
        if self._created and not self._begun:
            self._path.unlink(missing_ok=True)

    def _try(self) -> None:
        """Whether there is room for a beginning."""
        if not self._is_regular():
            return
        length = self._file.seek(0, io.SEEK_END)
        try:
            # A file that nearly fills the disk takes a part, and says no to the rest.
            left = _TRIED_BYTES
            while left:
                left -= self._file.write(bytes(left)) or 0
        finally:
            self._file.truncate(length)
            self._file.seek(0)

    def _is_regular(self) -> bool:
        return stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)


def _open(path: Path) -> tuple[io.FileIO, bool]:
    """The file, and whether it was made just now."""
    try:
        return io.FileIO(path, "xb+"), True
    except FileExistsError:
        return io.FileIO(path, "rb+"), False


def _unwritable(path: Path, error: OSError) -> MajlisError:
    return MajlisError("invalid_argument", "FILE_UNWRITABLE", f"{path}: {error.strerror or error}")
