// SPDX-License-Identifier: Apache-2.0
//! The provider at real servers of both versions that it is tested with, with a role of its own that is no superuser.

#[cfg(test)]
mod check;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod python;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod site;
#[cfg(test)]
mod tenant;
#[cfg(test)]
mod tls;
