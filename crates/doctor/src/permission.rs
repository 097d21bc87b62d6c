//! May a user go there? Computed from owner, mode and groups, as the kernel does, without becoming that user.
//!
//! A user's name and a path go in; the first thing in the way comes out. ACLs, SELinux and AppArmor are not looked at.

use std::ffi::CString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A user with all groups, as `initgroups` gives them to a daemon.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) groups: Vec<u32>,
}

/// What is wanted of the last element of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Read a file.
    Read,
    /// Connect to a socket, which takes write permission.
    Connect,
}

/// What is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// It does not exist.
    Missing(PathBuf),
    /// The user may not pass through this folder.
    Folder(PathBuf),
    /// The user may not open the thing itself.
    Itself(PathBuf),
    /// We cannot look, ourselves.
    Unseen(PathBuf),
}

impl User {
    /// Looks a user up in the system's databases.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let user = nix::unistd::User::from_name(name).ok().flatten()?;
        let groups = CString::new(name).ok().and_then(|name| nix::unistd::getgrouplist(&name, user.gid).ok());
        let groups = groups.unwrap_or_else(|| vec![user.gid]).into_iter().map(nix::unistd::Gid::as_raw).collect();
        Some(Self { uid: user.uid.as_raw(), groups })
    }

    /// Groups that a daemon gets besides.
    pub(crate) fn add_groups<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let number = |name| nix::unistd::Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw());
        self.groups.extend(names.filter_map(number));
    }

    /// Whether the mode of a thing gives this user the wanted bits (4 read, 2 write, 1 pass).
    fn may(&self, thing: (u32, u32, u32), bits: u32) -> bool {
        let (mode, owner, group) = thing;
        if self.uid == 0 {
            return bits != 1 || mode & 0o111 != 0;
        }
        // The first class that fits decides, also where a later one would give more.
        let class = if self.uid == owner {
            mode >> 6
        } else if self.groups.contains(&group) {
            mode >> 3
        } else {
            mode
        };
        class & bits == bits
    }

    /// Goes from `base` (not checked above it: the process is there already) down to `path`.
    pub(crate) fn reach(&self, base: &Path, path: &Path, wish: Wish) -> Result<(), Obstacle> {
        // Symbolic links lead through folders of their own.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let base = if real.starts_with(base) { base } else { Path::new("/") };
        let mut folders: Vec<&Path> = real.ancestors().skip(1).take_while(|folder| folder.starts_with(base)).collect();
        folders.reverse();
        for folder in folders {
            if !self.may(facts(&look(folder)?), 1) {
                return Err(Obstacle::Folder(folder.to_owned()));
            }
        }
        let bits = if wish == Wish::Read { 4 } else { 2 };
        if self.may(facts(&look(&real)?), bits) { Ok(()) } else { Err(Obstacle::Itself(real)) }
    }
}

fn facts(metadata: &Metadata) -> (u32, u32, u32) {
    (metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
}

fn look(path: &Path) -> Result<Metadata, Obstacle> {
    std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => Obstacle::Unseen(path.to_owned()),
        _ => Obstacle::Missing(path.to_owned()),
    })
}

/// `0660 postfix:postfix /run/x`, as `ls` would show it.
pub(crate) fn describe(path: &Path) -> String {
    let Ok(metadata) = std::fs::metadata(path) else {
        return format!("{}: cannot be looked at", path.display());
    };
    let (mode, uid, gid) = facts(&metadata);
    format!("{mode:04o} {}:{} {}", user_name(uid), group_name(gid), path.display())
}

fn user_name(uid: u32) -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

fn group_name(gid: u32) -> String {
    let group = nix::unistd::Group::from_gid(nix::unistd::Gid::from_raw(gid)).ok().flatten();
    group.map_or_else(|| gid.to_string(), |group| group.name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_first_class_that_fits_decides() {
        let user = User { uid: 100, groups: vec![100, 50] };
        let check = |mode, owner, group, bits, expected| {
            assert_eq!(user.may((mode, owner, group), bits), expected, "{mode:o} {owner} {group} {bits}");
        };
        check(0o660, 100, 1, 2, true);
        check(0o660, 1, 50, 2, true);
        check(0o660, 1, 1, 2, false);
        check(0o666, 1, 1, 2, true);
        check(0o066, 100, 50, 2, false); // the owner has less than everybody
        check(0o606, 1, 50, 2, false);
        check(0o640, 1, 100, 4, true);
        check(0o711, 1, 1, 1, true);
        check(0o710, 1, 1, 1, false);
    }

    #[test]
    fn the_first_obstacle_on_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let inner = base.join("inner");
        std::fs::create_dir(&inner).unwrap();
        let file = inner.join("file");
        std::fs::write(&file, "").unwrap();
        let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let stranger = User { uid: 54_321, groups: vec![54_321] };
        set(&base, 0o711);
        for (folder_mode, file_mode, expected) in [
            (0o711, 0o644, Ok(())),
            (0o711, 0o640, Err(Obstacle::Itself(file.clone()))),
            (0o700, 0o644, Err(Obstacle::Folder(inner.clone()))),
        ] {
            set(&inner, folder_mode);
            set(&file, file_mode);
            assert_eq!(stranger.reach(&base, &file, Wish::Read), expected, "{folder_mode:o} {file_mode:o}");
        }
        set(&inner, 0o711);
        let nowhere = inner.join("nowhere");
        assert_eq!(stranger.reach(&base, &nowhere, Wish::Connect), Err(Obstacle::Missing(nowhere)));
    }
}
