//! Lists the texts of mails, texts and calls, so that a new file is all a new template takes.
#![allow(clippy::print_stdout, reason = "a build script speaks to cargo by printing")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Folders of `config/messages` and what their names begin with.
const FOLDERS: [(&str, &str); 2] = [("mail", ""), ("telephone", "telephone/")];

fn main() -> std::io::Result<()> {
    let messages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/messages").canonicalize()?;
    let mut code = "const TEMPLATES: &[(&str, &str)] = &[\n".to_owned();
    for (folder, prefix) in FOLDERS {
        let root = messages.join(folder);
        let mut files = Vec::new();
        list_files(&root, &mut files)?;
        files.sort();
        for file in files {
            println!("cargo::rerun-if-changed={}", file.display());
            let name = file.strip_prefix(&root).map_err(std::io::Error::other)?;
            let name = format!("{prefix}{}", name.display());
            let _ = writeln!(code, "    ({name:?}, include_str!({:?})),", file.display().to_string());
        }
    }
    code.push_str("];\n");
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| std::io::Error::other("OUT_DIR is not set"))?;
    std::fs::write(PathBuf::from(out).join("templates.rs"), code)
}

fn list_files(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list_files(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "subject" || end == "txt" || end == "html") {
            files.push(path);
        }
    }
    Ok(())
}
