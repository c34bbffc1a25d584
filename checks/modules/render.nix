# The arithmetic of address ranges.
{ ... }:
let
  inherit ((import ../../modules/render).ipv4) overlap parse;
  overlaps = a: b: overlap (parse a) (parse b);
in
{
  testParse = {
    expr = map parse [
      "0.0.0.0/0"
      "10.0.0.0/8"
      "10.240.0.21/24"
      "10.240.0.21"
      "255.255.255.255/32"
      "192.0.2.7/31"
    ];
    expected = [
      {
        first = 0;
        last = 4294967295;
      }
      {
        first = 167772160;
        last = 184549375;
      }
      {
        first = 183500800;
        last = 183501055;
      }
      {
        first = 183500821;
        last = 183500821;
      }
      {
        first = 4294967295;
        last = 4294967295;
      }
      {
        first = 3221225990;
        last = 3221225991;
      }
    ];
  };
  testParseRefuses = {
    expr = map parse [
      "10.0.0.0/33"
      "10.0.0.256/24"
      "10.0.0/24"
      "10.0.0.01/24"
      "10.0.0.0/08"
      "10.0.0.0/"
      "fd00::/108"
      "a.b.c.d"
      ""
      7
      null
    ];
    expected = map (_: null) [
      1
      2
      3
      4
      5
      6
      7
      8
      9
      10
      11
    ];
  };
  testOverlap = {
    expr = [
      (overlaps "10.0.0.0/8" "10.240.0.0/24")
      (overlaps "10.240.0.0/24" "10.0.0.0/8")
      (overlaps "10.240.0.0/24" "10.240.0.255")
      (overlaps "10.240.0.0/24" "10.240.1.0/24")
      (overlaps "0.0.0.0/0" "255.255.255.255")
    ];
    expected = [
      true
      true
      true
      false
      true
    ];
  };
}
