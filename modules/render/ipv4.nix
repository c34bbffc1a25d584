# Ranges of IPv4 addresses, as numbers.
#
#   parse "10.0.0.0/24"   -> { first, last }; a bare address is a range of one; null where it is neither
#   overlap A B           -> whether two such ranges share an address
let
  # Digits without a leading zero: builtins.fromJSON reads no other.
  number =
    most: text:
    let
      value = builtins.fromJSON text;
    in
    if value <= most then value else null;
  power = n: if n == 0 then 1 else 2 * power (n - 1);
  octet = "(0|[1-9][0-9]{0,2})";
in
{
  parse =
    text:
    let
      found = builtins.match "${octet}[.]${octet}[.]${octet}[.]${octet}(/(0|[1-9][0-9]?))?" text;
      octets = map (number 255) (builtins.genList (builtins.elemAt found) 4);
      length = builtins.elemAt found 5;
      bits = if length == null then 32 else number 32 length;
      address = builtins.foldl' (sum: octet: sum * 256 + octet) 0 octets;
      size = power (32 - bits);
      # 10.0.0.1/24 names the same range as 10.0.0.0/24.
      first = address / size * size;
    in
    if !builtins.isString text || found == null || builtins.elem null octets || bits == null then
      null
    else
      {
        inherit first;
        last = first + size - 1;
      };

  overlap = a: b: a.first <= b.last && b.first <= a.last;
}
