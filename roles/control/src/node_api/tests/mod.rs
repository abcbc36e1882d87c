// SPDX-License-Identifier: Apache-2.0
//! The node protocol over real TLS and gRPC on loopback, with a real store.

mod authorities;
mod certificates;
mod connections;
mod enrolment;
mod lies;
mod recovery;
mod replicas;
mod stream;
mod streams;
mod tokens;
mod world;
