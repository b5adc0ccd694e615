//! Which instructions the kernels may use.

use std::fmt;

/// The instruction set that kernels run on.
///
/// A `Level` other than [`PORTABLE`](Self::PORTABLE) can only be had on a processor that has its
/// instructions; this is what makes the kernels safe to call. Detect it once and carry it along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Level(Instructions);

/// Kept private so that a level cannot be made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Instructions {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Instructions {
    /// Every set that this build knows, narrowest first.
    const ALL: &[Self] = &[
        Self::Portable,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
        #[cfg(target_arch = "aarch64")]
        Self::Neon,
    ];

    /// Whether the processor (and the operating system, for the width of its registers) has this set.
    /// The standard library reads CPUID once and keeps the answer.
    fn is_present(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::arch::is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("avx512f")
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
        }
    }
}

impl Level {
    /// Plain integer arithmetic; runs everywhere.
    pub const PORTABLE: Self = Self(Instructions::Portable);

    /// The widest level of this processor. Call it once, at start, and hand the value on.
    pub fn detect() -> Self {
        Self::available().last().unwrap_or(Self::PORTABLE)
    }

    /// Every level of this processor, narrowest first; [`PORTABLE`](Self::PORTABLE) is always the first.
    pub fn available() -> impl Iterator<Item = Self> {
        Instructions::ALL.iter().copied().filter(|instructions| instructions.is_present()).map(Self)
    }

    /// The name as printed: `portable`, `avx2`, `avx512` or `neon`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Instructions::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Instructions::Neon => "neon",
        }
    }

    /// What a dispatch matches on. The processor has these instructions, or the level would not exist.
    #[inline]
    pub(super) fn instructions(self) -> Instructions {
        self.0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn the_portable_level_is_always_there_and_the_detected_one_is_the_last() {
        let available: Vec<Level> = Level::available().collect();
        assert_eq!(available.first(), Some(&Level::PORTABLE));
        assert_eq!(available.last(), Some(&Level::detect()));
    }

    #[test]
    fn every_level_prints_its_name() {
        for level in Level::available() {
            assert_eq!(level.to_string(), level.name());
            assert_eq!(format!("{level:>10}").len(), 10);
        }
    }
}
