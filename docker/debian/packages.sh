#!/bin/sh
# From what meson has built to the three packages; debian/rules runs it in the source folder: packages.sh BUILD
set -eu
build=$(cd "$1" && pwd)
libdir=usr/lib/$DEB_HOST_MULTIARCH
image=$PWD/debian/image
umask 022
rm -rf debian/image debian/packages
mkdir -p debian/packages

# A build for another prefix is moved; three texts name it.
DESTDIR=$image meson install -C "$build" --no-rebuild >debian/install.log 2>&1 || { cat debian/install.log >&2; exit 1; }
rm debian/install.log
prefix=$(cd "$image" && find . -name logtailerctl -path '*/bin/*' | sed 's|^\./||; s|/bin/logtailerctl$||')
if [ "$prefix" != usr ]; then
    mv "$image/$prefix" "$image/moved"
    rm -rf "${image:?}/usr"
    mv "$image/moved" "$image/usr"
    sed -i "s|/$prefix/|/usr/|; s|=/$prefix\$|=/usr|" "$image/usr/lib/systemd/system/logtailerd@.service" \
        "$(find "$image/usr" -name libbinlogtail.pc)"
fi
found=$(dirname "$(find "$image/usr" -name libbinlogtail.a)")
[ "$found" = "$image/$libdir" ] || { mkdir -p "$image/$libdir" && mv "$found"/libbinlogtail.* "$found/pkgconfig" "$image/$libdir/"; }
sed -i "s|^libdir=.*|libdir=\${prefix}/lib/$DEB_HOST_MULTIARCH|" "$image/$libdir/pkgconfig/libbinlogtail.pc"
strip --remove-section=.comment --remove-section=.note "$image"/usr/bin/* "$image"/usr/sbin/* 2>/dev/null
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$image/$libdir"/libbinlogtail.so.*.*
find "$image/usr/share/man" -type f -exec gzip -9n {} +

# move PACKAGE PATH...: from the image into the package. What nobody takes is the main package's.
move() {
    package=$1
    shift
    for path in "$@"; do
        mkdir -p "debian/packages/$package/$(dirname "$path")"
        (cd "$image" && find . -path "./$path" -prune) | while read -r one; do mv "$image/$one" "debian/packages/$package/$(dirname "$path")/"; done
    done
}
move libbinlogtail0 "$libdir/libbinlogtail.so.*"
move libbinlogtail-dev usr/include "$libdir/libbinlogtail.so" "$libdir/libbinlogtail.a" "$libdir/pkgconfig" usr/share/man/man3
find "$image" -depth -type d -empty -exec rmdir {} +
mv "$image" debian/packages/logtailer
install -D -m 644 src/daemon/package/example.conf debian/packages/logtailer/etc/logtailer/example.conf
install -d debian/packages/libbinlogtail-dev/usr/share/doc/libbinlogtail-dev/examples
install -m 644 src/client/examples/*.c debian/packages/libbinlogtail-dev/usr/share/doc/libbinlogtail-dev/examples/

version=$(dpkg-parsechangelog -S Version)
echo "libbinlogtail 0 libbinlogtail0 (>= ${version%-*})" >debian/shlibs.local
for package in libbinlogtail0 libbinlogtail-dev logtailer; do
    root=debian/packages/$package
    doc=$root/usr/share/doc/$package
    install -d "$root/DEBIAN" "$doc"
    install -m 644 debian/copyright "$doc/copyright"
    gzip -9nc debian/changelog >"$doc/changelog.Debian.gz"
    for script in preinst postinst prerm postrm; do
        [ ! -f "debian/$package.$script" ] || install -m 755 "debian/$package.$script" "$root/DEBIAN/$script"
    done
    for part in conffiles triggers; do
        [ ! -f "debian/$package.$part" ] || install -m 644 "debian/$package.$part" "$root/DEBIAN/$part"
    done
    : >debian/substvars
    # shellcheck disable=SC2046
    case $package in
    libbinlogtail0)
        cp debian/shlibs.local "$root/DEBIAN/shlibs"
        dpkg-shlibdeps -Tdebian/substvars "$root/$libdir"/libbinlogtail.so.*.*
        ;;
    logtailer)
        dpkg-shlibdeps -Tdebian/substvars -Ldebian/shlibs.local -xlibbinlogtail0 -l"debian/packages/libbinlogtail0/$libdir" \
            "$root"/usr/bin/* "$root"/usr/sbin/*
        ;;
    esac
    (cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
    dpkg-gencontrol -p"$package" -P"$root" -Tdebian/substvars
    chmod -R go=rX "$root"
    dpkg-deb --root-owner-group --build "$root" .. >/dev/null
done
