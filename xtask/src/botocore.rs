//! Where the pinned botocore's data is.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::distil::Result;

/// The release of <https://pypi.org/project/botocore/> that the models come from.
pub const VERSION: &str = "1.44.5";

/// The `data` folder of the pinned release, fetched into `target/` by pip unless it is there.
pub fn fetch() -> Result<PathBuf> {
    let data = cached();
    if !data.is_dir() {
        let folder = target().join("botocore");
        std::fs::create_dir_all(&folder)?;
        let wheel = format!("botocore-{VERSION}-py3-none-any.whl");
        run(Command::new(python())
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"])
            .arg(&folder)
            .arg(format!("botocore=={VERSION}")))?;
        run(Command::new(python()).args(["-m", "zipfile", "-e"]).arg(folder.join(wheel)).arg(folder.join(VERSION)))?;
    }
    Ok(data)
}

/// The `data` folder where it is without fetching: in `target/`, or the installed package of that very version.
#[cfg(test)]
pub fn present() -> Option<PathBuf> {
    let program =
        format!("import botocore,os\nif botocore.__version__=='{VERSION}': print(os.path.dirname(botocore.__file__))");
    let installed = Command::new(python()).args(["-c", &program]).output().ok()?;
    let installed = PathBuf::from(String::from_utf8(installed.stdout).ok()?.trim()).join("data");
    [cached(), installed].into_iter().find(|folder| folder.join("partitions.json").is_file())
}

/// The Python of `make test`, or the machine's.
fn python() -> String {
    std::env::var("RECTIFY_PYTHON").ok().filter(|python| !python.is_empty()).unwrap_or_else(|| "python3".to_owned())
}

fn cached() -> PathBuf {
    target().join("botocore").join(VERSION).join("botocore/data")
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The workspace's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

fn run(command: &mut Command) -> Result<()> {
    if command.status()?.success() { Ok(()) } else { Err(format!("failed: {command:?}").into()) }
}
