use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// The texts shared by all members: one, or old and new while they are rotated.
#[derive(Clone)]
pub struct ClusterKey(Vec<String>);

impl std::fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClusterKey({} keys)", self.0.len())
    }
}

/// Why a keyfile is refused.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read keyFile: {0}")]
    Read(#[from] std::io::Error),
    /// Others than the owner may read or write it.
    #[error("permissions on the keyFile are too open ({0:o}): take all rights from group and others")]
    Permissions(u32),
    /// A key has the wrong length or characters.
    #[error("keyFile: a key has 6 to 1024 base64 characters, this one has {0} or holds others")]
    Key(usize),
    /// None or more than two keys.
    #[error("keyFile: one key, or a YAML list of at most two, not {0}")]
    Count(usize),
}

impl ClusterKey {
    /// Reads and checks a keyfile.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let mode = fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Permissions(mode & 0o777));
        }
        Self::parse(&fs::read_to_string(path)?)
    }

    /// Parses the text of a keyfile: one key, or a YAML list of keys.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let is_list = text.lines().any(|line| line.trim_start().starts_with("- "));
        let keys: Vec<String> = if is_list {
            text.lines()
                .filter_map(|line| line.trim().strip_prefix("- "))
                .map(|key| strip(key.trim_matches(['"', '\''])))
                .collect()
        } else {
            vec![strip(text)]
        };
        if keys.is_empty() || keys.len() > 2 {
            return Err(KeyFileError::Count(keys.len()));
        }
        for key in &keys {
            let clean = key.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
            if !(6..=1024).contains(&key.len()) || !clean {
                return Err(KeyFileError::Key(key.len()));
            }
        }
        Ok(Self(keys))
    }

    /// The keys; a member authenticates with the first that its peer takes.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

fn strip(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_or_a_list_of_two() {
        let one = ClusterKey::parse("abc def\nghi\n").unwrap();
        assert_eq!(one.texts().collect::<Vec<_>>(), ["abcdefghi"]);
        let two = ClusterKey::parse("- oldkey1\n- \"newkey2\"\n").unwrap();
        assert_eq!(two.texts().collect::<Vec<_>>(), ["oldkey1", "newkey2"]);
    }

    #[test]
    fn wrong_keys_are_refused() {
        assert!(matches!(ClusterKey::parse("short"), Err(KeyFileError::Key(5))));
        assert!(matches!(ClusterKey::parse("with!punctuation"), Err(KeyFileError::Key(_))));
        assert!(matches!(ClusterKey::parse("- aaaaaa\n- bbbbbb\n- cccccc\n"), Err(KeyFileError::Count(3))));
    }

    #[test]
    fn the_key_is_not_in_debug() {
        let key = ClusterKey::parse("secretsecret").unwrap();
        assert!(!format!("{key:?}").contains("secret"));
    }
}
