# Stands in for nixpkgs' own, which is not at hand where lib alone is (../stub.nix).
{ }
