//! Where a command may write: asked before it does any work.

use std::path::{Path, PathBuf};

use tacit_claim::{FileKind, sniff};
use tacit_core::files;

use crate::failure::Failure;

/// Refuses outputs that are among the inputs, whatever `force` says, and what [`files::check_absent`]
/// refuses.
pub(crate) fn check<'a>(
    outputs: impl IntoIterator<Item = &'a Path>,
    inputs: &[Option<&Path>],
    force: bool,
) -> Result<(), Failure> {
    // What cannot be resolved is not there: an input that is missing is told of when it is read.
    let inputs: Vec<_> = inputs.iter().flatten().filter_map(|path| path.canonicalize().ok()).collect();
    let outputs: Vec<_> = outputs.into_iter().collect();
    for (i, output) in outputs.iter().enumerate() {
        if output.as_os_str() == "-" {
            return Err(Failure::new(
                "`-` does not stand for standard output: a file is written, whole or not at all",
            )
            .advise("name a file with -o"));
        }
        if outputs[..i].contains(output) {
            return Err(Failure::new(format!("{}: two outputs of one name", output.display()))
                .advise("choose another name for one of them"));
        }
        if output.canonicalize().is_ok_and(|path| inputs.contains(&path)) {
            return Err(Failure::new(format!("{}: the output is also an input", output.display()))
                .advise("choose another name for the output"));
        }
    }
    for output in outputs {
        files::check_absent(output, force)?;
        // An identity cannot be made again; nothing that commands write is one but by its own name.
        if files::read(output, 1024).is_ok_and(|bytes| sniff(&bytes) == FileKind::OwnerKey) {
            return Err(Failure::new(format!("{}: an identity, which is never replaced", output.display()))
                .advise("choose another name for the output"));
        }
    }
    Ok(())
}

/// Where what belongs to a file lies: beside it, under its name and more.
pub(crate) fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    name.into()
}

/// Refuses a folder to write into that is a file, or lies in one.
pub(crate) fn check_folder(folder: &Path) -> Result<(), Failure> {
    match folder.ancestors().find(|path| path.exists()) {
        Some(path) if !path.is_dir() => {
            Err(Failure::new(format!("{} is a file; a folder is wanted", path.display()))
                .advise("name a folder; one that is not there yet is made"))
        }
        _ => Ok(()),
    }
}
