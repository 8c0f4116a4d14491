//! Files: read within a limit, written whole or not at all, secrets readable by their owner alone.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::CoreError;

/// Largest file that is read: that of a model.
pub const MAX_FILE: u64 = 1 << 30;

fn io(path: &Path) -> impl Fn(std::io::Error) -> CoreError + '_ {
    move |source| CoreError::Io { path: path.to_owned(), source }
}

/// Reads a regular file of at most `max` bytes.
///
/// # Errors
/// [`CoreError::Io`], [`CoreError::TooLarge`].
pub fn read(path: &Path, max: u64) -> Result<Zeroizing<Vec<u8>>, CoreError> {
    let file = fs::File::open(path).map_err(io(path))?;
    let metadata = file.metadata().map_err(io(path))?;
    if metadata.is_dir() {
        return Err(io(path)(std::io::Error::other("is a folder, not a file")));
    }
    if metadata.len() > max {
        return Err(CoreError::TooLarge { path: path.to_owned(), max, actual: metadata.len() });
    }
    // A pipe has no length: one byte past the limit tells.
    let mut bytes = Zeroizing::new(Vec::with_capacity(metadata.len() as usize + 1));
    file.take(max + 1).read_to_end(&mut bytes).map_err(io(path))?;
    if bytes.len() as u64 > max {
        return Err(CoreError::TooLarge { path: path.to_owned(), max, actual: bytes.len() as u64 });
    }
    Ok(bytes)
}

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody may read it (mode 0644).
    Public,
    /// The owner alone (mode 0600).
    Secret,
}

/// Refuses if `path` exists and `force` is not set, and in any case if it is anything but a regular file: a
/// rename would put a file in the place of a device, a pipe or a link.
///
/// # Errors
/// [`CoreError::Exists`], [`CoreError::NotAFile`].
pub fn check_absent(path: &Path, force: bool) -> Result<(), CoreError> {
    match path.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(found) if !found.is_file() => Err(CoreError::NotAFile(path.to_owned())),
        Ok(_) if force => Ok(()),
        Ok(_) => Err(CoreError::Exists(path.to_owned())),
    }
}

/// Writes a file whole or not at all: to a temporary file beside it, synced, then renamed, and the folder synced, so
/// that it is there after a power cut too. Makes missing folders.
///
/// # Errors
/// [`CoreError::Exists`] without `force`, [`CoreError::Io`].
pub fn write(path: &Path, bytes: &[u8], access: Access, force: bool) -> Result<(), CoreError> {
    check_absent(path, force)?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(io(folder))?;
    // Temporary files are made with mode 0600; public ones are opened up below.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| io(path)(unnamed(e)))?;
    file.write_all(bytes).map_err(|e| io(path)(unnamed(e)))?;
    if access == Access::Public {
        make_public(file.as_file()).map_err(io(path))?;
    }
    file.as_file().sync_all().map_err(io(path))?;
    if force {
        file.persist(path).map_err(|e| io(path)(e.error))?;
    } else {
        file.persist_noclobber(path).map_err(|e| match e.error.kind() {
            std::io::ErrorKind::AlreadyExists => CoreError::Exists(path.to_owned()),
            _ => io(path)(e.error),
        })?;
    }
    sync_folder(folder).map_err(io(folder))
}

/// The error without the name of the temporary file, which `tempfile` puts behind the system's words and which means nothing to
/// whoever asked for another.
fn unnamed(e: std::io::Error) -> std::io::Error {
    match e.to_string().split_once(" at path ") {
        Some((what, _)) => std::io::Error::new(e.kind(), what),
        None => e,
    }
}

/// A new name is kept only once its folder is. What cannot be opened to be read, or keeps names otherwise, is left to the
/// system.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    use std::io::ErrorKind;
    match fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(e)
            if matches!(
                e.kind(),
                ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        other => other,
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn make_public(file: &fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_public(_: &fs::File) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_whole_files_and_keeps_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.secret");
        write(&path, b"one", Access::Secret, false).unwrap();
        assert!(matches!(write(&path, b"two", Access::Secret, false), Err(CoreError::Exists(_))));
        assert_eq!(&**read(&path, 10).unwrap(), b"one");
        write(&path, b"two", Access::Secret, true).unwrap();
        assert_eq!(&**read(&path, 3).unwrap(), b"two");
        assert!(matches!(read(&path, 2), Err(CoreError::TooLarge { .. })));
        assert!(matches!(read(folder.path(), 2), Err(CoreError::Io { .. })));
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 1, "no temporary file is left");
        assert!(matches!(write(folder.path(), b"x", Access::Public, true), Err(CoreError::NotAFile(_))));
        let named = tempfile::NamedTempFile::new_in(folder.path().join("none")).unwrap_err();
        assert!(named.to_string().contains(".tmp"), "{named}");
        let unnamed = unnamed(named);
        assert_eq!(unnamed.kind(), std::io::ErrorKind::NotFound);
        assert!(!unnamed.to_string().contains("none"), "{unnamed}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            assert!(matches!(write(&link, b"x", Access::Public, true), Err(CoreError::NotAFile(_))));
            assert_eq!(&**read(&path, 3).unwrap(), b"two", "what the link points to is untouched");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
