//! The user's data folder: setups and keys.

use std::path::PathBuf;

use tacit_core::DataFolder;

use crate::failure::Failure;

/// `$XDG_DATA_HOME/tacit`, or where the platform keeps such data.
pub(crate) fn data_folder() -> Result<DataFolder, Failure> {
    let chosen = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let folder = match chosen {
        Some(base) => base.join("tacit"),
        None => directories::ProjectDirs::from("", "", "tacit")
            .ok_or_else(|| {
                Failure::new("there is no home folder to keep setups and keys in")
                    .advise("set XDG_DATA_HOME to a folder")
            })?
            .data_dir()
            .to_owned(),
    };
    Ok(DataFolder::new(folder))
}
