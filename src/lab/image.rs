//! The built-in image `lab`: a root file system around a copy of the lab program, made without any download.
//!
//! A program that is linked dynamically comes with its loader and libraries. The loader itself is asked which
//! those are: nobody else knows as well where it looks.

use std::{
    ffi::OsString,
    fs::{self, File, Permissions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::{
        ffi::OsStringExt,
        fs::{PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    process::Command,
};

use thiserror::Error;

use super::{
    COMMANDS,
    place::{DIRECTORIES, GROUP, PASSWD},
};

/// The file of the running program: it can be read even when its path has been replaced since it was started.
const RUNNING: &str = "/proc/self/exe";
const LAB: &str = "/bin/lab";

/// Why the lab image cannot be assembled.
#[derive(Debug, Error)]
pub enum ImageError {
    /// A file operation failed.
    #[error("cannot {step} {} for the lab image: {source}", path.display())]
    File {
        /// What was being done.
        step: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is something in the directory already.
    #[error("cannot assemble the lab image in {}: it is not empty (give it a new directory)", .0.display())]
    NotEmpty(PathBuf),
    /// The program is in no format that we can read.
    #[error("cannot assemble the lab image from {}: not a 64-bit little-endian ELF program", .0.display())]
    NotElf(PathBuf),
    /// The loader could not tell which libraries there are.
    #[error("cannot list the libraries of the lab program with {}: {said} (a static build needs none)", loader.display())]
    Libraries {
        /// The program's loader.
        loader: PathBuf,
        /// What it said instead.
        said: String,
    },
}

/// Assembles the image from the running program in an empty directory.
pub fn assemble(dir: &Path) -> Result<(), ImageError> {
    assemble_from(Path::new(RUNNING), dir)
}

/// Assembles the image from another copy of this program in an empty directory.
pub fn assemble_from(program: &Path, dir: &Path) -> Result<(), ImageError> {
    if fs::read_dir(dir).map_err(at("read", dir))?.next().is_some() {
        return Err(ImageError::NotEmpty(dir.into()));
    }
    let image = Image { dir };
    image.chmod("/", 0o755)?;
    for (path, mode) in DIRECTORIES {
        image.directory(path, mode)?;
    }
    image.file(PASSWD.0, PASSWD.1)?;
    image.file(GROUP.0, GROUP.1)?;

    // Nothing in a container may write to it, be it through /proc/PID/exe: it serves all containers.
    image.copy(program, LAB)?;
    image.chmod(LAB, 0o555)?;
    for command in COMMANDS.iter().filter(|command| **command != "lab") {
        let link = image.path(format!("/bin/{command}"));
        symlink("lab", &link).map_err(at("link", &link))?;
    }
    let lab = image.path(LAB);
    if let Some(loader) = interpreter(&lab)? {
        image.copy(&loader, &loader)?;
        for library in libraries(&loader, &lab)?.iter().filter(|library| **library != loader) {
            image.copy(library, library)?;
        }
    }
    Ok(())
}

/// The words that begin the init of an image which lies in `dir`, in a container that sees it as `place` and has nothing else of it.
/// A program that is linked dynamically is started by its own loader, which is told where its libraries are.
pub fn init_of(dir: &Path, place: &Path) -> Result<Vec<String>, ImageError> {
    let image = Image { dir };
    let inside = |path: &Path| place.join(path.strip_prefix("/").unwrap_or(path)).display().to_string();
    let mut words = Vec::new();
    if let Some(loader) = interpreter(&image.path(LAB))? {
        let mut directories = Vec::new();
        libraries_in(dir, &mut directories)?;
        let found = directories.iter().filter_map(|directory| directory.strip_prefix(dir).ok()).map(inside);
        words.extend([inside(&loader), "--library-path".into(), found.collect::<Vec<_>>().join(":")]);
    }
    words.extend([inside(Path::new(LAB)), "init".into()]);
    Ok(words)
}

/// The directories beneath `directory` in which there are libraries.
fn libraries_in(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), ImageError> {
    for entry in fs::read_dir(directory).map_err(at("read", directory))? {
        let entry = entry.map_err(at("read", directory))?;
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory {
            libraries_in(&entry.path(), found)?;
        } else if entry.file_name().to_string_lossy().contains(".so") && !found.contains(&directory.into()) {
            found.push(directory.into());
        }
    }
    Ok(())
}

/// The image being assembled; paths are as the container will see them.
struct Image<'a> {
    dir: &'a Path,
}

impl Image<'_> {
    fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        let inside = inside.as_ref();
        self.dir.join(inside.strip_prefix("/").unwrap_or(inside))
    }

    /// Modes are set afterwards: what a umask took away at creation, other users in the container would miss.
    fn chmod(&self, inside: impl AsRef<Path>, mode: u32) -> Result<(), ImageError> {
        let path = self.path(inside);
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(at("set the mode of", &path))
    }

    fn directory(&self, inside: impl AsRef<Path>, mode: u32) -> Result<(), ImageError> {
        let path = self.path(&inside);
        fs::create_dir(&path).map_err(at("make", &path))?;
        self.chmod(inside, mode)
    }

    fn file(&self, inside: &str, text: &str) -> Result<(), ImageError> {
        let path = self.path(inside);
        fs::write(&path, text).map_err(at("write", &path))?;
        self.chmod(inside, 0o644)
    }

    /// Copies a file of the host, making the directories that lead to it.
    fn copy(&self, from: &Path, inside: impl AsRef<Path>) -> Result<(), ImageError> {
        let inside = inside.as_ref();
        let leading: Vec<&Path> = inside.ancestors().skip(1).collect();
        for directory in leading.into_iter().rev().filter(|directory| !self.path(directory).exists()) {
            self.directory(directory, 0o755)?;
        }
        fs::copy(from, self.path(inside)).map_err(at("copy", from))?;
        Ok(())
    }
}

/// The loader that an ELF program asks for; a static one has none.
fn interpreter(program: &Path) -> Result<Option<PathBuf>, ImageError> {
    const PT_INTERP: u64 = 3;
    let mut file = File::open(program).map_err(at("read", program))?;
    let mut read = |offset: u64, count: u64| {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset)).map_err(at("read", program))?;
        file.by_ref().take(count).read_to_end(&mut bytes).map_err(at("read", program))?;
        if bytes.len() as u64 == count { Ok(bytes) } else { Err(ImageError::NotElf(program.into())) }
    };
    let header = read(0, 64)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Err(ImageError::NotElf(program.into()));
    }
    let (table, size, count) = (number(&header[32..40]), number(&header[54..56]), number(&header[56..58]));
    for nth in 0..count {
        let segment = read(table + nth * size, 56)?;
        if number(&segment[..4]) == PT_INTERP {
            let mut path = read(number(&segment[8..16]), number(&segment[32..40]))?;
            path.retain(|byte| *byte != 0);
            return Ok(Some(OsString::from_vec(path).into()));
        }
    }
    Ok(None)
}

fn number(little_endian: &[u8]) -> u64 {
    little_endian.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The libraries that the loader would load, each where it looks for it.
fn libraries(loader: &Path, program: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let failed = |said: String| ImageError::Libraries { loader: loader.into(), said };
    // Without our environment: in the container there will be no LD_LIBRARY_PATH either.
    let output = Command::new(loader)
        .arg("--list")
        .arg(program)
        .env_clear()
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().into()));
    }
    // NAME => PATH (ADDRESS); the kernel's own and the loader stand there without an arrow.
    let list = String::from_utf8_lossy(&output.stdout);
    let found = list.lines().filter_map(|line| line.split_once(" => ")).map(|(name, found)| {
        let path = found.rsplit_once(" (").map_or(found, |(path, _)| path);
        if path.starts_with('/') {
            Ok(path.into())
        } else {
            Err(failed(format!("{} is missing", name.trim())))
        }
    });
    found.collect()
}

fn at(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ImageError {
    move |source| ImageError::File { step, path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_program_comes_with_all_that_it_needs_and_the_usual_directories() {
        let image = tempfile::tempdir().unwrap();
        assemble(image.path()).unwrap();
        let mode = |path: &str| fs::metadata(image.path().join(path)).unwrap().permissions().mode() & 0o7777;
        for (path, expected) in [("bin/lab", 0o555), ("bin/sleep", 0o555), ("tmp", 0o1777), ("root", 0o700)] {
            assert_eq!(mode(path), expected, "{path}");
        }
        let program = fs::read(RUNNING).unwrap();
        assert!(fs::read(image.path().join("bin/true")).unwrap() == program);
        if let Some(needed) = interpreter(Path::new(RUNNING)).unwrap() {
            assert!(image.path().join(needed.strip_prefix("/").unwrap()).exists(), "{}", needed.display());
        }
    }

    #[test]
    fn a_directory_with_something_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine"), "").unwrap();
        assert!(assemble(dir.path()).unwrap_err().to_string().contains("is not empty"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_program_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for bytes in [&b"#!/bin/sh\n"[..], b"\x7fELF\x02\x01", &[0; 100]] {
            let file = dir.path().join("file");
            fs::write(&file, bytes).unwrap();
            let error = interpreter(&file).unwrap_err().to_string();
            assert!(error.contains(file.to_str().unwrap()) && error.contains("ELF"), "{error}");
        }
    }

    #[test]
    fn a_loader_that_cannot_tell_is_quoted() {
        let error = libraries(Path::new("/bin/false"), Path::new(RUNNING)).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot list the libraries of the lab program with /bin/false")
        );
    }
}
