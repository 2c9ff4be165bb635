package conformance

import "path"

// exception is a finding that stays, and why.
type exception struct {
	lint  string
	scope string // which of ours, as path.Match has it
	why   string
}

func (e exception) covers(name, ours string) bool {
	matched, err := path.Match(e.scope, ours)
	return e.lint == name && matched && err == nil
}

// Who is meant.
const (
	roots         = "*/*root/*"
	intermediates = "*/*intermediate/*"
	leaves        = "*/*leaf/*"
	scripts       = "micronets/*leaf/*"
)

// Why it stays.
const (
	script     = "the Micronets scripts have it so, and the profile is theirs extension for extension"
	subject    = "the subject is an organization alone, as the scripts have it; nothing here rests on other names of a CA"
	places     = "a file-based CA has no server that its certificates could point to"
	internal   = "an internal CA names internal things: private addresses, users, workloads"
	policies   = "policies are the Forum's, for public CAs"
	ed25519    = "Ed25519 (RFC 8410) is for those who ask for it; browsers and public CAs do not"
	purpose    = "intermediates may sign for any purpose unless a CA above them limits it"
	keyID      = "RFC 5280 section 4.2.1.2 wants it, and it tells which of two keys a certificate is of"
	noOCSP     = "our CAs sign no OCSP answers"
	chosen     = "whoever asks for a path length at the root gets it, and verifiers that ignore it there lose nothing"
	notAudited = "certificate transparency logs take public CAs only"
)

// rfcExceptions are those from the RFCs: none but the scripts'.
var rfcExceptions = []exception{
	{"e_ecdsa_allowed_ku", scripts, script},
	{"n_ecdsa_ee_invalid_ku", scripts, script},
	{"w_ext_subject_key_identifier_missing_sub_cert", scripts, script},
}

// browserExceptions are those from what browsers and the CA/Browser Forum ask of public CAs.
var browserExceptions = []exception{
	{"e_ca_common_name_missing", roots, subject},
	{"e_ca_common_name_missing", intermediates, subject},
	{"e_ca_country_name_missing", roots, subject},
	{"e_ca_country_name_missing", intermediates, subject},
	{"e_sub_cert_country_name_must_appear", leaves, subject},
	{"e_sub_cert_locality_name_must_appear", leaves, subject},
	{"e_sub_cert_province_must_appear", leaves, subject},

	{"e_missing_crl_distrib_point", leaves, places},
	{"e_sub_ca_crl_distribution_points_missing", intermediates, places},
	{"e_sub_cert_aia_missing", leaves, places},
	{"w_sub_ca_aia_missing", intermediates, places},
	{"w_sub_cert_aia_does_not_contain_issuing_ca_url", leaves, places},

	{"e_ext_nc_intersects_reserved_ip", "peer/*limited*/*", internal},
	{"e_ext_san_contains_reserved_ip", leaves, internal},
	{"e_ext_san_rfc822_name_present", leaves, internal},
	{"e_ext_san_uniform_resource_identifier_present", leaves, internal},

	{"e_invalid_ca_certificate_policies", intermediates, policies},
	{"e_sub_ca_certificate_policies_missing", intermediates, policies},
	{"e_sub_cert_cert_policy_empty", leaves, policies},
	{"e_sub_cert_certificate_policies_missing", leaves, policies},

	{"e_algorithm_identifier_improper_encoding", "*/*/ed25519", ed25519},
	{"e_signature_algorithm_not_supported", "*/*/ed25519", ed25519},

	{"n_mp_allowed_eku", intermediates, purpose},
	{"n_sub_ca_eku_missing", intermediates, purpose},

	{"n_ca_digital_signature_not_set", roots, noOCSP},
	{"n_ca_digital_signature_not_set", intermediates, noOCSP},
	{"n_ct_sct_policy_count_unsatisfied", leaves, notAudited},
	{"w_ext_subject_key_identifier_not_recommended_subscriber", leaves, keyID},
	{"w_root_ca_basic_constraints_path_len_constraint_field_present", "peer/*limited root/*", chosen},

	{"e_cabf_ecc_allowed_key_usages", scripts, script},
	{"e_ext_san_missing", scripts, script},
	{"e_server_cert_valid_time_longer_than_200_days", scripts, script},
	{"e_sub_cert_eku_missing", scripts, script},
	{"e_tls_server_cert_valid_time_longer_than_398_days", scripts, script},
	{"w_cabf_ecc_ku_keyagreement_present", scripts, script},
	{"w_server_cert_valid_time_longer_than_199_days", scripts, script},
	{"w_tls_server_cert_valid_time_longer_than_397_days", scripts, script},
}

// crlExceptions are those of CRLs; from the RFCs there are none.
var crlExceptions = []exception{
	{"e_cab_crl_has_valid_reason_code", "*/full/*", "RFC 5280 section 5.3.1 has more reasons, certificateHold among them, than public CAs may give"},
}
