// SPDX-License-Identifier: Apache-2.0
//! While one authority follows another, servers show chains that lead from the old one to the new one. Nobody else can make one.

use rcgen::{DnType, Issuer, KeyPair};

use super::rotation::{NAMES, server, verifies};
use super::*;
use crate::ca::certificate;

const RANDOM: SystemRandom = SystemRandom;

/// An authority of nobody's with its own key; with another's name, if one is given.
fn forged(now: Timestamp, name: Option<&str>) -> Authority {
    let key = key::CertificateKey::generate().unwrap();
    let mut params = certificate::authority(now, &RANDOM).unwrap();
    if let Some(name) = name {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    let der = params.self_signed(&key).unwrap().der().to_vec();
    Authority::from_stored(der, &key.to_pkcs8().unwrap()).unwrap()
}

fn name_of(der: &[u8]) -> String {
    let (_, parsed) = X509Certificate::from_der(der).unwrap();
    parsed.subject().iter_common_name().next().unwrap().as_str().unwrap().to_owned()
}

fn server_params(now: Timestamp) -> rcgen::CertificateParams {
    let validity = Validity::new(now, DAY, now + DAY);
    certificate::server(&NAMES.map(str::to_owned), validity, &RANDOM).unwrap()
}

fn server_by(authority: &Authority, now: Timestamp) -> Vec<u8> {
    authority.sign(&server_params(now), &KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test]
async fn no_forged_chain_leads_from_one_authority_to_another() {
    let fixture = Fixture::new().await;
    let ca = fixture.open(&keys(key("one", 1), Vec::new())).await.unwrap();
    let old_pem = ca.authorities_pem();
    let old = parts(&old_pem)[0].to_vec();
    ca.rotate().await.unwrap();
    fixture.clock.advance(DAY);
    ca.step().await.unwrap();
    let (now, signing) = (fixture.clock.now(), ca.signing_term().unwrap());
    let (new, vouched) = (signing.authority.certificate().to_vec(), signing.cross[0].clone());
    assert!(verifies(&old_pem, &server(&ca).identity().chain(), &fixture), "control's own chain does");

    // Nobody's authority, alone and among what control shows to everyone.
    let stranger = forged(now, None);
    let by_stranger = server_by(&stranger, now);
    // One with the name of the new authority, for which the old one has vouched.
    let named_new = forged(now, Some(&name_of(&new)));
    let by_named_new = server_by(&named_new, now);
    // One with the name of the old authority, which vouches for a stranger.
    let named_old = forged(now, Some(&name_of(&old)));
    let forged_vouch = named_old.vouch_for(&stranger, &[], now, &RANDOM).unwrap().remove(0);
    // A node, which has a good certificate and is no authority.
    let (node_key, machine) = (KeyPair::generate().unwrap(), MachineId::generate(&RANDOM));
    let validity = Validity::new(now, DAY, now + DAY);
    let node_params = certificate::node(machine, validity, &RANDOM).unwrap();
    let node = signing.authority.sign(&node_params, &node_key).unwrap();
    let by_node =
        server_params(now).signed_by(&KeyPair::generate().unwrap(), &Issuer::new(node_params, node_key)).unwrap();

    let [stranger, named_new, named_old] =
        [stranger, named_new, named_old].map(|authority| authority.certificate().to_vec());
    let by_node = by_node.der().to_vec();
    for (what, chain) in [
        ("a stranger", vec![&by_stranger, &stranger]),
        ("a stranger beside what is good", vec![&by_stranger, &stranger, &new, &vouched, &old]),
        ("the new one's name", vec![&by_named_new, &named_new, &vouched, &old]),
        ("the new one's name, vouched for", vec![&by_named_new, &vouched, &old]),
        ("the old one's name", vec![&by_stranger, &stranger, &forged_vouch, &named_old, &old]),
        ("the old one's name, vouching", vec![&by_stranger, &forged_vouch, &old]),
        ("a node", vec![&by_node, &node, &new, &vouched, &old]),
    ] {
        let chain: Vec<_> = chain.into_iter().map(|der| CertificateDer::from(der.clone())).collect();
        for trusted in [&old_pem, &ca.authorities_pem()] {
            assert!(!verifies(trusted, &chain, &fixture), "{what}");
        }
    }
}
